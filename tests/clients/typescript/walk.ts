// What somebody does with types that he has generated: `node walk.js http://127.0.0.1:8000`.
// `api.ts` is what openapi-typescript makes of openapi.yaml.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Article = components["schemas"]["ArticleRead"];
type Problem = components["schemas"]["Problem"];

declare const process: { argv: string[] };

const content = "Nobody has written this client.";
const api = createClient<paths>({
  baseUrl: process.argv[2]!,
  // Conditions are parameters of their own, as the contract says: `?title__icontains=…`.
  querySerializer: { object: { style: "form", explode: true } },
});

function assert(condition: unknown, message: unknown): asserts condition {
  if (!condition) throw new Error(JSON.stringify(message));
}

/** The answer where all went well. */
function data<T>(answer: { data?: T; error?: Problem }): T {
  assert(answer.data !== undefined, answer.error);
  return answer.data;
}

/** The answer where it did not. */
function problem(answer: { error?: Problem }): Problem {
  assert(answer.error, "no error");
  return answer.error;
}

/** What is made is one or many, as was sent. */
function one<T>(made: T | T[]): T {
  assert(!Array.isArray(made), made);
  return made;
}

async function enter(): Promise<void> {
  const password = "correct horse battery";
  const person = { email: "typescript@example.com", username: "typescript", password };
  const user = data(await api.POST("/auth/register", { body: person }));
  assert("id" in user, user);
  const session = await api.POST("/auth/login", {
    body: { username: user.username, password },
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  const token = data(session).access_token;
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${token}`);
    },
  });
}

async function write(): Promise<Article> {
  const request = {
    body: { title: "Generated in TypeScript", content, published: true },
    params: { header: { "Idempotency-Key": "once" } },
  };
  const article = one(data(await api.POST("/articles", request)));
  assert(one(data(await api.POST("/articles", request))).id === article.id, "done twice");
  const refused = problem(await api.POST("/articles", { body: { title: "", content } }));
  assert(refused.status === 422 && refused.errors?.[0]?.loc.join(".") === "body.title", refused);
  return article;
}

async function find(article: Article): Promise<void> {
  const filter: components["schemas"]["ArticleFilter"] = { title__icontains: "GENERATED", id__in: `${article.id}` };
  const equal = { title: article.title, published: true };
  const found = await api.GET("/articles", { params: { query: { ...equal, filter, count: "exact" } } });
  assert(data(found).length === 1 && data(found)[0]?.id === article.id, data(found));
  assert(found.response.headers.get("X-Total-Count") === "1", "not counted");
  const none = await api.GET("/articles", { params: { query: { filter: { title__icontains: "by hand" } } } });
  assert(data(none).length === 0, data(none));
  const parts = await api.GET("/articles", { params: { query: { ...equal, fields: "id", include: "author" } } });
  const [part] = data(parts);
  assert(part && !("title" in part), part);
  assert("author" in part && part.author?.username === "typescript", part);
}

async function change(article: Article): Promise<void> {
  const path = { article_id: article.id };
  const version = (await api.GET("/articles/{article_id}", { params: { path } })).response.headers.get("ETag");
  assert(version, "no version");
  const params = { path, header: { "If-Match": version } };
  const changed = data(await api.PATCH("/articles/{article_id}", { params, body: { title: "Regenerated" } }));
  assert(changed.title === "Regenerated" && changed.content === content, changed);
  const stale = problem(await api.PATCH("/articles/{article_id}", { params, body: { published: false } }));
  assert(stale.status === 412, stale);
}

async function tag(article: Article): Promise<void> {
  const tags = data(await api.POST("/tags", { body: [{ name: "made" }, { name: "of" }, { name: "yaml" }] }));
  assert(Array.isArray(tags) && tags[0] && tags[1], tags);
  const first = await api.GET("/tags", { params: { query: { limit: 2 } } });
  const cursor = /cursor=([^&>]+).*rel="next"/.exec(first.response.headers.get("Link") ?? "")?.[1];
  assert(cursor, "no further page");
  const second = await api.GET("/tags", { params: { query: { limit: 2, cursor } } });
  const names = [...data(first), ...data(second)].map((one) => one.name);
  assert(names.join() === "made,of,yaml", names);
  const linked = await api.PUT("/tags/{tag_id}/articles/{article_id}", {
    params: { path: { tag_id: tags[0].id, article_id: article.id } },
  });
  assert(linked.response.status === 204, linked.error);
  const tagged = data(await api.GET("/tags/{tag_id}/articles", { params: { path: { tag_id: tags[0].id } } }));
  assert(tagged.length === 1 && tagged[0]?.id === article.id, tagged);
}

async function comment(article: Article): Promise<void> {
  const params = { path: { article_id: article.id } };
  const said = one(data(await api.POST("/articles/{article_id}/comments", { params, body: { content: "Well done" } })));
  const comments = data(await api.GET("/articles/{article_id}/comments", { params }));
  assert(comments.length === 1 && comments[0]?.id === said.id, comments);
}

async function remove(article: Article): Promise<void> {
  const params = { path: { article_id: article.id } };
  const removed = await api.DELETE("/articles/{article_id}", { params });
  assert(removed.response.status === 204, removed.error);
  assert(problem(await api.GET("/articles/{article_id}", { params })).detail === "Article not found", "still there");
}

await enter();
const article = await write();
await find(article);
await change(article);
await tag(article);
await comment(article);
await remove(article);
