import { t as people } from "../strings";
import { en } from "./strings.en";

export const t = { ...people, ...en };
