import { randomUUID } from "node:crypto";
import { Tacit, type TacitOptions } from "../../src/index.ts";

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined)
    throw new Error(`${name} is missing: tests/clients/test_typescript.py starts the service and these tests`);
  return value;
}

/** Address of the running service. */
export const URL_OF_SERVICE = variable("TACIT_URL");
/** Key with all scopes. */
export const KEY = variable("TACIT_KEY");
/** Key with the scope `choose`. */
export const READING_KEY = variable("TACIT_READING_KEY");
/** Time that the way from an event to a changed answer may take on a busy machine, in seconds. */
export const WAIT = { waitS: 10 };

/** A client of the service; it throws away no error. */
export function client(options: Partial<TacitOptions> = {}): Tacit {
  return new Tacit({ url: URL_OF_SERVICE, region: "eu", key: KEY, timeoutMs: 10_000, ...options });
}

/** Return the id of a user that no other test has; it has what an address must escape. */
export function newUser(): string {
  return `user/${randomUUID()} %2F?#é`;
}

/** Return a user who allows all. */
export async function willing(tacit: Tacit): Promise<string> {
  const user = newUser();
  await tacit.user(user).consent(true, undefined, WAIT);
  return user;
}
