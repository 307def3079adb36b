import { formatPlace, parsePlace, type Place } from "./core/place";

function read(): Place {
  return parsePlace(location.pathname, location.search);
}

/** Where the person is. The address is the state; this is only how it is read and written. */
class Router {
  place = $state.raw<Place>(read());

  constructor() {
    addEventListener("popstate", () => {
      this.place = read();
    });
  }

  /** Goes somewhere, as a step that Back undoes. */
  go(place: Place): void {
    const address = formatPlace(place);
    if (address !== location.pathname + location.search) history.pushState(null, "", address);
    this.place = place;
  }

  replace(place: Place): void {
    history.replaceState(null, "", formatPlace(place));
    this.place = place;
  }

  /** Follows a link inside the application; a click meant for a new tab or window is left alone. */
  follow(event: MouseEvent, place: Place): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(place);
  }
}

export const router = new Router();
