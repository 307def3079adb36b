import { Cell } from "./cell";
import type { Http } from "./http";
import { reasonOf, Refused } from "./problem";
import { t } from "./strings";
import type { Me } from "./wire";

/**
 * Who is signed in.
 *
 * `starting`: not known yet. `out`: nobody. `password`: someone who must choose a new password
 * first. `in`: someone. `lost`: someone whose session ended while the page was open; the page
 * stays as it is, behind the sign-in.
 */
export type SessionState = "starting" | "out" | "password" | "in" | "lost" | "unreachable";

export class Session {
  readonly state = new Cell<SessionState>("starting");
  readonly me = new Cell<Me | null>(null);

  constructor(private readonly http: Http) {
    http.onSignedOut = () => {
      if (this.state.get() === "in") this.state.set("lost");
    };
  }

  /** Asks the server who is there. */
  async begin(): Promise<void> {
    try {
      this.#welcome(await this.http.me());
    } catch (error) {
      this.state.set(error instanceof Refused && error.status === 401 ? "out" : "unreachable");
    }
  }

  /** Signs in; answers why not, in words, or `null`. */
  async signIn(email: string, password: string): Promise<string | null> {
    try {
      const answer = await this.http.signIn(email, password);
      this.http.csrf = answer.csrf_token ?? null;
      this.#welcome(await this.http.me());
      return null;
    } catch (error) {
      const wrong = error instanceof Refused && error.status === 401;
      return wrong ? t.signIn.wrong : reasonOf(error);
    }
  }

  /** Replaces the password; answers why not, in words, or `null`. */
  async changePassword(current: string, wanted: string): Promise<string | null> {
    try {
      await this.http.changePassword(current, wanted);
      this.#welcome(await this.http.me());
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async signOut(): Promise<void> {
    this.state.set("out");
    try {
      await this.http.signOut();
    } finally {
      this.http.csrf = null;
      this.me.set(null);
    }
  }

  #welcome(me: Me): void {
    this.http.csrf = me.csrf_token ?? this.http.csrf;
    this.me.set(me);
    this.state.set(me.must_change_password ? "password" : "in");
  }
}
