import {
  formatPlace,
  nameOrganisation,
  organisationOf,
  parsePlace,
  type Place,
} from "./core/place";

function read(): Place {
  return parsePlace(location.pathname, location.search);
}

/** Where the person is. The address is the state; this is only how it is read and written. */
class Router {
  place = $state.raw<Place>(read());
  /** What was kept of a place that Back or Forward has led to; `null` after any other step. */
  returned: unknown = null;
  /** Says what is to be kept of the place that is left. */
  keep: () => unknown = () => null;
  /** The organisation that the address names; who is in one alone has none in their addresses. */
  organisation = $state.raw(organisationOf(location.search));

  constructor() {
    nameOrganisation(this.organisation);
    addEventListener("popstate", (event) => {
      this.returned = (event.state as unknown) ?? {};
      this.#name(organisationOf(location.search));
      this.place = read();
    });
  }

  /** Says in this tab's addresses which organisation they are of; where one is, stays. */
  settle(organisation: string | null): void {
    this.#name(organisation);
    // An address that leads nowhere stays to be read.
    if (this.place.page !== "unknown") this.replace(this.place);
  }

  /** Goes to a place of another organisation. */
  goTo(organisation: string | null, place: Place): void {
    this.#name(organisation);
    this.go(place);
  }

  #name(organisation: string | null): void {
    nameOrganisation(organisation);
    this.organisation = organisation;
  }

  /** Goes somewhere, as a step that Back undoes. */
  go(place: Place): void {
    const address = formatPlace(place);
    if (address !== location.pathname + location.search) {
      history.replaceState(this.keep(), "");
      history.pushState(null, "", address);
    }
    this.returned = null;
    this.place = place;
  }

  replace(place: Place): void {
    history.replaceState(null, "", formatPlace(place));
    this.returned = null;
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
