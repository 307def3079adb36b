import { expect, test } from "vitest";

import { nextAfterSignIn } from "./next";

test("a channel's page that was asked for comes after signing in", () => {
  expect(nextAfterSignIn("?next=%2Fhooks%2Fmain%2Fsimulator%2Fphone")).toBe(
    "/hooks/main/simulator/phone",
  );
});

test.each(["", "?next=", "?next=/messages", "?next=//evil.example/hooks/", "?next=/hooks/\\evil"])(
  "anything else is left alone: %s",
  (search) => {
    expect(nextAfterSignIn(search)).toBeNull();
  },
);
