import "./ui/themes.css";
import "./ui/base.css";

import { mount } from "svelte";

import App from "./App.svelte";

const target = document.getElementById("app");
// Reading the script and drawing the page are tasks of their own, so that neither is long.
if (target)
  setTimeout(() => {
    mount(App, { target });
  });
