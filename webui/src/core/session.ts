import { Cell } from "./cell";
import type { Http } from "./http";
import { reasonOf, Refused } from "./problem";
import { t } from "./strings";
import type { Me, SecondStep, SignInWays } from "./wire";

/**
 * Who is signed in.
 *
 * `starting`: not known yet. `out`: nobody. `password`: someone who must choose a new password
 * first. `factor`: someone who must set up a second factor first. `in`: someone. `lost`: someone whose session ended while the page was open; the page
 * stays as it is, behind the sign-in.
 */
export type SessionState =
  "starting" | "out" | "password" | "factor" | "in" | "lost" | "unreachable";

export class Session {
  readonly state = new Cell<SessionState>("starting");
  readonly me = new Cell<Me | null>(null);
  /** Goes with the second factor that is still missing, once the password was right. */
  readonly ticket = new Cell<string | null>(null);
  /** What would do as one. */
  readonly methods = new Cell<readonly SecondStep["methods"][number][]>(["code"]);
  /** The password that worked once, while this page knows it, so that nobody types it again. */
  once: string | null = null;
  #ways: Promise<SignInWays> | null = null;
  /** How often somebody has signed out: what was asked before means nothing after. */
  #left = 0;

  constructor(readonly http: Http) {
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

  /** Asks again what this person may: rights change while the page is open. */
  async refresh(): Promise<void> {
    if (this.state.get() !== "in") return;
    const left = this.#left;
    try {
      const me = await this.http.me();
      if (left !== this.#left) return;
      if (JSON.stringify(me.organisations) !== JSON.stringify(this.me.get()?.organisations))
        this.#welcome(me);
    } catch {
      // What is known stays; who is signed out is told so.
    }
  }

  /** Signs in, or comes as far as the second factor; answers why not, in words, or `null`. */
  async signIn(email: string, password: string): Promise<string | null> {
    try {
      const answer = await this.http.signIn(email, password);
      if ("ticket" in answer) {
        this.methods.set(answer.methods);
        this.ticket.set(answer.ticket);
        return null;
      }
      this.http.csrf = answer.csrf_token ?? null;
      this.#welcome(await this.http.me());
      if (this.state.get() === "password") this.once = password;
      return null;
    } catch (error) {
      const wrong = error instanceof Refused && error.status === 401;
      return wrong ? t.signIn.wrong : reasonOf(error);
    }
  }

  /** How else one may sign in; not at all, while that cannot be asked. */
  ways(): Promise<SignInWays> {
    this.#ways ??= this.http.signInWays().catch(() => {
      this.#ways = null;
      return { providers: [], mails: false, passkey_origin: null };
    });
    return this.#ways;
  }

  /** Goes on after what was as good as the password, elsewhere. */
  resume(ticket: string | null, methods: readonly string[]): void {
    this.methods.set(methods as SecondStep["methods"]);
    this.ticket.set(ticket);
  }

  /** Gives the second factor; answers why not, in words, or `null`. */
  async secondStep(code: string): Promise<string | null> {
    try {
      const answer = await this.http.secondStep(this.ticket.get() ?? "", code);
      this.http.csrf = answer.csrf_token ?? null;
      this.ticket.set(null);
      this.#welcome(await this.http.me());
      return null;
    } catch (error) {
      // It took too long: from the beginning, and the sign-in says why.
      const late = error instanceof Refused && error.status === 401;
      if (!late) return reasonOf(error);
      this.ticket.set(null);
      return t.signIn.late;
    }
  }

  /** Somebody was signed in by other means, or something of them has changed. */
  async again(): Promise<void> {
    const left = this.#left;
    const me = await this.http.me();
    if (left === this.#left) this.#welcome(me);
  }

  /** Replaces the password; answers why not, in words, or `null`. */
  async changePassword(current: string, wanted: string): Promise<string | null> {
    try {
      await this.http.changePassword(current, wanted);
      this.once = null;
      this.#welcome(await this.http.me());
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async signOut(): Promise<void> {
    this.#left += 1;
    this.once = null;
    this.state.set("out");
    try {
      await this.http.signOut();
    } finally {
      this.http.csrf = null;
      this.me.set(null);
    }
  }

  #welcome(me: Me): void {
    this.ticket.set(null);
    this.http.csrf = me.csrf_token ?? this.http.csrf;
    this.me.set(me);
    if (me.must_change_password) this.state.set("password");
    else this.state.set(me.needs_second_factor ? "factor" : "in");
  }
}
