import type { Catalogue, ChoiceAnswer } from "../src/index.ts";

export const CHOICE: ChoiceAnswer = {
  user: "k1.00000000000000000000000000000001",
  status: "fresh",
  policy: "learned",
  values: { length: "concise", tone: "neutral" },
  strengths: { length: "apply", tone: "default" },
  prompt: "Keep answers short.",
  acted_on: [
    { facet: "length", value: "concise", version: "1795297433438-0000000042", propensity: 0.9, runner_up: "balanced" },
  ],
  reasons: {},
  catalogue: 1,
};

const FACET = { title: "", values: [], ordered: false, multiple: false };

export const CATALOGUE: Catalogue = {
  version: 1,
  facets: [
    { ...FACET, facet: "length", default: "balanced" },
    { ...FACET, facet: "tone", default: "neutral" },
    { ...FACET, facet: "audience", default: null },
  ],
  topics: [],
  surfaces: [],
  feedback: [],
  languages: [],
  directed: [],
};
