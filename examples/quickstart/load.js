// Load for the quickstart, for k6 (https://k6.io). provider/benchtest/README.md has the
// commands and results.
//
//   go run ./examples/quickstart -secret-key sk_test_load -limit 1000000
//   k6 run examples/quickstart/load.js
//
// Each of the two parts takes CLIENTS and DURATION:
//
//   k6 run -e CLIENTS=64 -e DURATION=1m examples/quickstart/load.js
import http from 'k6/http';
import { check, fail } from 'k6';

const acme = __ENV.ACME || 'http://127.0.0.1:8080';
const key = __ENV.SECRET_KEY || 'sk_test_load';
const password = 'correct horse battery staple'; // the quickstart prints it
const callback = 'https://load.example.com/callback'; // the script reads the code from the redirect

const part = { executor: 'constant-vus', vus: Number(__ENV.CLIENTS || 8), duration: __ENV.DURATION || '20s', gracefulStop: '5s' };
const names = ['userinfo', 'notes', 'authorize', 'token', 'refresh'];

export const options = {
  scenarios: {
    // API calls with a token, the most frequent request.
    api: { ...part, exec: 'api' },
    // Whole sign-ins of a user who has consented before, each with a refresh.
    flow: { ...part, exec: 'flow', startTime: part.duration },
  },
  // The first fails the run if any check fails. The others make k6 report each
  // kind of request.
  thresholds: Object.fromEntries([['checks', ['rate==1']], ...names.map((n) => [`http_req_duration{name:${n}}`, ['max>=0']])]),
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
};

// setup registers an application, signs ada in, and consents for her once.
export function setup() {
  const made = http.post(`${acme}/v1/oauth_applications`,
    JSON.stringify({ name: 'Load', callback_url: callback, scopes: 'profile email notes:read' }),
    { headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' } });
  if (made.status !== 200) {
    fail(`The application was not registered: ${made.status} ${made.body}. Was -secret-key ${key} given?`);
  }
  const app = made.json();
  const signedIn = http.post(`${acme}/login`, { login: 'ada', password, next: '/' }, { redirects: 0 });
  const session = signedIn.cookies.acme_session[0].value;
  const page = http.get(authorizeURL(app), { headers: { Cookie: `acme_session=${session}` } });
  const hidden = (name) => page.html().find(`input[name=${name}]`).attr('value');
  // The cookie jar has the session and the cookie of the form.
  const agreed = http.post(`${acme}/oauth/authorize`,
    { request: hidden('request'), seal: hidden('seal'), granted: ['profile', 'email', 'notes:read'], decision: 'allow' },
    { redirects: 0, headers: { Origin: acme } });
  const at = { app: { client_id: app.client_id, client_secret: app.client_secret }, session };
  return { ...at, access: redeem(at, codeOf(agreed)).access_token };
}

export function api(at) {
  const as = bearer(at.access);
  check(http.get(`${acme}/oauth/userinfo`, { ...as, tags: { name: 'userinfo' } }), { userinfo: (r) => r.status === 200 && r.json('sub') === 'user_1815' });
  check(http.get(`${acme}/api/notes`, { ...as, tags: { name: 'notes' } }), { notes: (r) => r.status === 200 });
}

export function flow(at) {
  const answer = http.get(authorizeURL(at.app), {
    redirects: 0, headers: { Cookie: `acme_session=${at.session}` }, tags: { name: 'authorize' } });
  const tokens = redeem(at, codeOf(answer));
  check(http.get(`${acme}/oauth/userinfo`, { ...bearer(tokens.access_token), tags: { name: 'userinfo' } }), { userinfo: (r) => r.status === 200 });
  const refreshed = token(at, 'refresh', { grant_type: 'refresh_token', refresh_token: tokens.refresh_token });
  check(refreshed, { 'another refresh token': (r) => r.status === 200 && r.json('refresh_token') !== tokens.refresh_token });
}

function authorizeURL(app) {
  const query = { response_type: 'code', client_id: app.client_id, redirect_uri: callback, scope: 'profile email notes:read', state: '0123456789abcdef' };
  return `${acme}/oauth/authorize?` + Object.entries(query).map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join('&');
}

function codeOf(answer) {
  const code = /[?&]code=([^&]+)/.exec(answer.headers.Location || '');
  if (!check(code, { 'a code': (c) => c !== null })) {
    fail(`No code: ${answer.status} ${answer.headers.Location || answer.body}`);
  }
  return code[1];
}

function redeem(at, code) {
  const answer = token(at, 'token', { grant_type: 'authorization_code', code, redirect_uri: callback });
  if (!check(answer, { tokens: (r) => r.status === 200 })) {
    fail(`No tokens: ${answer.status} ${answer.body}`);
  }
  return answer.json();
}

function token(at, name, form) {
  return http.post(`${acme}/oauth/token`, { ...form, ...at.app }, { tags: { name } });
}

function bearer(access) {
  return { headers: { Authorization: `Bearer ${access}` } };
}
