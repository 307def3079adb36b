import { expect, it } from "vitest";

import { besides } from "./menu";

const page = { width: 400, height: 600 };
const button = { top: 100, bottom: 128, right: 300 };

it("stands below its button and ends where it ends", () => {
  expect(besides(button, { width: 200, height: 150 }, page)).toEqual({ left: 100, top: 134 });
});

it("stands above where there is no room below", () => {
  const low = { top: 520, bottom: 548, right: 300 };
  expect(besides(low, { width: 200, height: 150 }, page).top).toBe(520 - 6 - 152);
});

it("stays inside of the window whatever happens", () => {
  expect(besides({ ...button, right: 60 }, { width: 200, height: 150 }, page).left).toBe(8);
  expect(besides({ ...button, right: 500 }, { width: 200, height: 150 }, page).left).toBe(192);
  const short = { width: 400, height: 200 };
  expect(besides(button, { width: 200, height: 900 }, short).top).toBe(8);
});
