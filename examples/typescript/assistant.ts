/**
 * An assistant with templates in place of a language model; it adapts to its user while they talk.
 *
 *     npm install tacit-client
 *     TACIT_URL=http://localhost:8080 TACIT_KEY=tk_… node assistant.ts ada
 *
 * Lines are questions, or commands: /yes and /no (may it learn?), /like, /dislike, /shorter, /longer, /pin FACET VALUE,
 * /unpin FACET, /page, /forget. The key needs the scopes choose, send and manage.
 */
import { createInterface } from "node:readline/promises";
import { type Choice, Tacit, type Turn } from "tacit-client";

const FEEDBACK: Readonly<Record<string, string>> = {
  "/like": "thumbs_up",
  "/dislike": "thumbs_down",
  "/shorter": "shorter",
  "/longer": "longer",
};
const WAIT = { waitS: 5 };

const tacit = new Tacit({
  url: process.env["TACIT_URL"] ?? "http://localhost:8080",
  region: process.env["TACIT_REGION"] ?? "eu",
  key: process.env["TACIT_KEY"] ?? "",
  events: { onLost: ({ reason, detail }) => console.error(`An event was lost: ${reason}, ${detail}`) },
});

/** One conversation with one user. */
class Conversation {
  readonly #user: string;
  readonly #unit: string;
  #questions = 0;
  #turn: Turn | null = null;

  constructor(user: string) {
    this.#user = user;
    this.#unit = `${user}-${Date.now()}`;
  }

  async greeting(): Promise<string> {
    const context = await tacit.context(this.#user, { unit: this.#unit });
    if (context === null) return "Hello. I do not know how you like my answers today.";
    if (context.consent["learn"] === "unasked") return "Hello. May I learn how you like my answers? /yes or /no";
    return `Hello again. ${context.text}`;
  }

  async reply(line: string): Promise<string> {
    const [command = "", facet = "", value = ""] = line.split(/\s+/);
    const kind = FEEDBACK[command];
    if (kind !== undefined) return this.#feedback(kind);
    const rights = tacit.user(this.#user);
    switch (command) {
      case "/yes":
      case "/no":
        await rights.consent(command === "/yes", undefined, WAIT);
        return command === "/yes" ? "Thank you. /page shows all that I learn." : "I learn nothing about you.";
      case "/pin":
        await rights.pin(facet, value, WAIT);
        return `From now on: ${facet} ${value}.`;
      case "/unpin":
        await rights.unpin(facet, WAIT);
        return `From now on I learn ${facet} again.`;
      case "/page":
        return (await tacit.pageLink(this.#user)).url;
      case "/forget": {
        const { receipt } = await rights.forget(WAIT);
        return receipt === null ? "All is forgotten." : `All is forgotten; your receipt is ${receipt}.`;
      }
      default:
        return command.startsWith("/") ? `I do not know ${command}.` : this.#answer(line);
    }
  }

  async #answer(question: string): Promise<string> {
    const choice = await tacit.choose({ user: this.#user, unit: this.#unit, topic: "code", surface: "chat" });
    this.#questions += 1;
    this.#turn = choice.turn({ turnId: `${this.#unit}-${this.#questions}` });
    tacit.send(this.#turn.event());
    return written(question, choice);
  }

  #feedback(kind: string): string {
    if (this.#turn === null) return "Ask me something first.";
    tacit.send(this.#turn.feedback(kind));
    return "Noted.";
  }
}

/** Write an answer; a language model would get `choice.prompt` in its system prompt instead. */
function written(question: string, choice: Choice): string {
  const points = [
    `You ask: ${question}`,
    "Read the error first.",
    "Then reproduce it in a test.",
    "Then change one thing.",
  ];
  const length: Readonly<Record<string, number>> = { concise: 2, balanced: 3, detailed: 4 };
  const used = points.slice(0, length[choice.values["length"] ?? "balanced"]);
  const text = choice.values["format"] === "bullets" ? used.map((point) => `- ${point}`).join("\n") : used.join(" ");
  return choice.prompt === "" ? text : `${text}\n(${choice.prompt})`;
}

const conversation = new Conversation(process.argv[2] ?? "ada");
console.log(await conversation.greeting());
for await (const line of createInterface({ input: process.stdin, terminal: false })) {
  try {
    console.log(await conversation.reply(line.trim()));
  } catch (error) {
    console.log(`That did not work: ${error instanceof Error ? error.message : error}`);
  }
}
await tacit.close();
