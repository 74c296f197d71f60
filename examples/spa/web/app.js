// This file is the whole client. It runs in the browser and can't keep a secret,
// so it uses PKCE instead (RFC 7636).

const config = await (await fetch("/config.json")).json(); // {issuer, client_id}
const redirectURI = location.origin + "/"; // exactly as registered at Acme

// The tokens are only in this variable. Any script of this origin could read them
// in localStorage or sessionStorage, now or later. So a reload loses them, and
// the user signs in again. The user still has a session at Acme, so that takes
// one click and no password. An injected script could use the tokens while the
// page is open, which the Content-Security-Policy prevents. If you need more
// protection, keep the tokens on your server and give the browser a cookie.
let tokens = null; // the response of RFC 6749 section 5.1

let server; // Acme's metadata document

// discover reads the addresses of Acme's endpoints (RFC 8414).
async function discover() {
  if (server) return;
  const { origin, pathname } = new URL(config.issuer);
  const url = origin + "/.well-known/oauth-authorization-server" + pathname.replace(/\/$/, "");
  const answer = await request(url);
  if (!answer.ok) throw new Error(`${url} responded with status ${answer.status}.`);
  const metadata = await answer.json();
  if (metadata.issuer !== config.issuer) throw new Error(`${url} is about ${metadata.issuer}.`); // RFC 8414 section 3.3
  server = metadata;
}

// signIn redirects the browser to Acme. That unloads this page, so the state and
// the verifier wait in the tab's storage, for one response.
async function signIn() {
  await discover();
  const state = randomText(), verifier = randomText();
  sessionStorage.setItem("sign-in", JSON.stringify({ state, verifier }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const url = new URL(server.authorization_endpoint);
  for (const [name, value] of Object.entries({
    response_type: "code",
    client_id: config.client_id,
    redirect_uri: redirectURI,
    scope: "profile notes:read",
    state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  })) url.searchParams.set(name, value);
  location.assign(url);
}

// finishSignIn takes Acme's response from the address, if there is one.
async function finishSignIn() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state") && !answer.has("code") && !answer.has("error")) return;
  history.replaceState(null, "", redirectURI); // Remove the code from the address bar.
  const asked = JSON.parse(sessionStorage.getItem("sign-in"));
  sessionStorage.removeItem("sign-in");
  if (!asked || answer.get("state") !== asked.state) throw new Error("This sign-in was not started in this tab. Start again.");
  // Reject the response of another server (RFC 9207).
  if (answer.get("iss") !== config.issuer) throw new Error("This response did not come from Acme. Start again.");
  if (answer.get("error") === "access_denied") throw new Error("You did not allow Notes Reader to see your notes.");
  if (answer.has("error")) throw new Error(`Acme rejected the request: ${answer.get("error_description")} (${answer.get("error")})`);
  await discover();
  tokens = await requestTokens({
    grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirectURI, code_verifier: asked.verifier,
  });
  if (tokens.scope.split(" ").includes("notes:read")) return;
  await signOut(); // The user did not allow the scope that this app needs.
  throw new Error("You did not allow Notes Reader to see your notes.");
}

// refresh gets new tokens. Concurrent calls share one request, because a refresh
// token works once.
let refreshing = null;
function refresh() {
  refreshing ??= requestTokens({ grant_type: "refresh_token", refresh_token: tokens.refresh_token })
    .then((fresh) => { tokens = fresh; })
    .finally(() => { refreshing = null; });
  return refreshing;
}

async function requestTokens(form) {
  const answer = await post(server.token_endpoint, form);
  const body = await answer.json();
  if (answer.ok) return body;
  if (body.error !== "invalid_grant") throw new Error(`Acme rejected the request: ${body.error_description} (${body.error})`);
  tokens = null;
  throw new Error("Acme has ended this sign-in. Sign in again.");
}

// post sends a form to one of Acme's endpoints. A public client sends only its ID.
function post(url, form) {
  return request(url, { method: "POST", body: new URLSearchParams({ client_id: config.client_id, ...form }) });
}

// get calls an API with the access token. If the token has expired, the response
// is 401, and get tries once more with a new token.
async function get(url) {
  const send = () => request(url, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  const used = tokens;
  let answer = await send();
  if (answer.status === 401) {
    if (tokens === used) await refresh();
    answer = await send();
  }
  if (!answer.ok) throw new Error(`${url} responded with status ${answer.status}.`);
  return answer.json();
}

// request is fetch, which sends no cookies to other origins. It can fail because
// of the network or because of CORS, and scripts can't tell which.
function request(url, options) {
  return fetch(url, options).catch(() => { throw new Error("Can't reach Acme right now. Try again."); });
}

async function readNotes() {
  const [user, { notes }] = await Promise.all([get(server.userinfo_endpoint), get(config.issuer + "/api/notes")]);
  element("name").textContent = user.name ?? "an Acme user"; // The user may not have allowed the scope profile.
  element("read-at").textContent = new Date().toLocaleTimeString();
  element("notes").replaceChildren(...notes.map(({ title, text }) => {
    const item = document.createElement("li");
    item.append(document.createElement("h2"), document.createElement("p"));
    item.children[0].textContent = title;
    item.children[1].textContent = text;
    return item;
  }));
}

// signOut revokes the refresh token, which ends the whole sign-in (RFC 7009). If
// the app only forgot the token, it would still work.
async function signOut() {
  const { refresh_token } = tokens;
  tokens = null;
  element("notes").replaceChildren();
  const answer = await post(server.revocation_endpoint, { token: refresh_token }).catch(() => null);
  if (!answer?.ok) throw new Error("You are signed out here, but Acme could not be reached.");
}

// run runs one action at a time and shows its error.
async function run(action) {
  const buttons = document.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  element("message").hidden = true;
  try {
    await action();
  } catch (error) {
    element("message").textContent = error.message;
    element("message").hidden = false;
  }
  element("signed-in").hidden = !tokens;
  element("signed-out").hidden = !!tokens;
  buttons.forEach((button) => { button.disabled = false; });
}

const element = (id) => document.getElementById(id);
const randomText = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

element("connections").href = config.issuer + "/oauth/connections";
element("sign-in").onclick = () => run(signIn);
element("read-again").onclick = () => run(readNotes);
element("sign-out").onclick = () => run(signOut);
await run(async () => {
  await finishSignIn();
  if (tokens) await readNotes();
});
