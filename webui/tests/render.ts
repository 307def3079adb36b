import { render } from "@testing-library/svelte";

import Stage from "./Stage.svelte";
import type { World } from "./world";

type StageProps = Record<string, unknown>;

/** Draws a component of the inbox as the page does, with what it finds around itself there. */
export function renderIn(world: World, component: unknown, props: StageProps = {}) {
  return render(Stage, { props: { inbox: world.inbox, component, props } } as never);
}
