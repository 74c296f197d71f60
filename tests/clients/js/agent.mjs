// Implements the OAuthClientProvider of the MCP clients for JavaScript. It
// keeps the registration, the tokens, and the state of a sign-in in memory.
import assert from 'node:assert/strict';
import { allow } from './person.mjs';

export class Agent {
  redirectUrl = 'http://localhost:4711/callback';
  saved = [];

  constructor(method) {
    this.clientMetadata = {
      client_name: 'Unknown agent', redirect_uris: [this.redirectUrl], token_endpoint_auth_method: method,
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
    };
  }

  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.saved.at(-1); }
  saveTokens(tokens) { this.saved.push(tokens); }
  state() { return crypto.randomUUID(); }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  redirectToAuthorization(url) { this.url = url; }
  invalidateCredentials(which) {
    assert.equal(which, 'tokens');
    this.saveTokens(undefined);
  }

  // signIn acts as the user, and then as the agent at the redirect URI. It
  // returns the answer's parameters.
  async signIn() {
    const answer = (await allow(this.url)).searchParams;
    assert.equal(answer.get('state'), this.url.searchParams.get('state'));
    return answer;
  }
}
