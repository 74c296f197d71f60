package main

// mutation is one way to break a rule.
type mutation struct {
	rule     string // the rule that is broken
	file     string // in package provider
	old, new string // the text to change, which must occur once, and its replacement
	test     string // the test that must fail; others may too
}

var mutations = []mutation{
	{
		"RFC 6749 section 2.3.1: no credentials in the query", "params.go",
		`return parseParams(body.String(), known)`, `return parseParams(body.String()+"&"+r.URL.RawQuery, known)`,
		"TestTokenReadsTheBodyOnly",
	},
	{
		"RFC 6749 section 3.1.2: a registered query is kept", "redirect.go",
		`b.WriteString(uri)`, `b.WriteString(strings.Replace(uri, ";", "&", 1))`,
		"TestAuthorizeKeepsTheQueryOfTheRedirectURI",
	},
	{
		"RFC 6749 section 2.3: one way to authenticate", "client.go",
		`case body.secret != "" && !header.has(body.secret):`, `case body.secret != "" && body.secret == header.id:`,
		"TestTokenTwoAuthentications",
	},
	{
		"RFC 6749 section 4.1.2: a code lives for ten minutes", "lifetimes.go",
		`Code: 10 * time.Minute`, `Code: 9 * time.Minute`,
		"TestCodeExpires",
	},
	{
		"RFC 6749 section 4.1.2.1: a denial is access_denied", "consent.go",
		`{"error", codeAccessDenied}`, `{"error", codeServerError}`,
		"TestAuthorizeAccessDenied",
	},
	{
		"RFC 6749 section 4.1.3: the code is bound to the redirect URI", "issue.go",
		`RedirectOptional: !a.redirect.named || challenge != "",`, `RedirectOptional: true,`,
		"TestCodeIsBoundToRedirectURI",
	},
	{
		"RFC 6749 section 10.6: the grant is for the user who agreed", "consent.go",
		`"consent", a.session.UserID, a.params`, `"consent", "", a.params`,
		"TestConsentIsProtectedAgainstForgery",
	},
	{
		"A form can't grant more than the request asked for", "offer.go",
		`if !shown.Contains(names) {`, `if names = shown.Intersect(names); false {`,
		"TestFormCannotGrantMoreThanWasAsked",
	},
	{
		"A user who comes back without signing in is not sent again", "visit.go",
		`if v.anonymous() && v.wasSent(loopTime) {`, `if false {`,
		"TestReturnWithoutSignInIsAPageAndNoLoop",
	},
	{
		"RFC 6749 section 10.12: only the consent page's form can answer it", "pages/policy.go",
		`h.Set("Referrer-Policy", "same-origin")`, `h.Set("Referrer-Policy", "unsafe-url")`,
		"TestAuthorizePagesAreProtected",
	},
	{
		"RFC 6749 section 3.1: no parameter of an authorization request may be repeated", "authorization.go",
		`if e := repeated(a.params, a.offer.singleParams...); e != nil {`, `if e := repeated(a.params); e != nil {`,
		"TestAuthorizeParameterTwice",
	},
	{
		"RFC 6749 section 3.2: no parameter of a token request may be repeated", "token.go",
		`e = repeated(form, c.offer.forms.token.single...)`, `e = repeated(form)`,
		"TestTokenParameterTwice",
	},
	{
		"RFC 6749 section 3.1.2: a redirect URI has no fragment", "redirect_rules.go",
		`case strings.Contains(raw, "#"):`, `case u.Fragment != "":`,
		"TestRegistrationRefusesUnsafeRedirectURIs",
	},
	{
		"RFC 6749 section 3.1.2.3: if several are registered, redirect_uri is required", "authorization.go",
		`case !a.redirect.named && len(app.RedirectURIs) > 1:`, `case !a.redirect.named && len(app.RedirectURIs) > 2:`,
		"TestAuthorizeRedirectURILeftOut",
	},
	{
		"OpenID RP Metadata Choices section 2: a client that supports no offered method gets no secret", "registration_metadata.go",
		`method = cmp.Or(method, authNone)`, `method = cmp.Or(method, authBasic)`,
		"TestRegisterGivesNoSecretUnasked",
	},
	{
		"RFC 7591 section 2: scopes that are not offered are dropped", "registration_metadata.go",
		`offered.Intersect(scopes.New(strings.Fields(text)...))`, `scopes.New(strings.Fields(text)...)`,
		"TestRegisterIgnoresAndReplaces",
	},
	{
		"draft-ietf-oauth-client-id-metadata-document section 4: a document without none is refused", "client_document.go",
		`case slices.Contains(m.AuthMethods, authNone):`, `case len(m.AuthMethods) > 0:`,
		"TestDocumentContent",
	},
	{
		"draft-ietf-oauth-client-id-metadata-document section 5.2: an error is not cached", "internal/clientdoc/cache.go",
		`	if f.err == nil {
		c.keep(`, `	if true {
		c.keep(`,
		"TestDocumentCaching",
	},
	{
		"RFC 6749 section 5.2: a public client sends no secret", "client.go",
		`case app.Public && sent.secret == "":`, `case app.Public:`,
		"TestTokenInvalidClient",
	},
	{
		"RFC 9110 section 15.5.14: a body that is too large is refused", "params.go",
		`maxBody   = 1 << 20`, `maxBody   = 1 << 22`,
		"TestTokenHugeBody",
	},
	{
		"RFC 6750 section 2: one way to send a token", "bearer.go",
		`case ways > 1:`, `case ways > 2:`,
		"TestBearerInTwoPlaces",
	},
	{
		"RFC 6750 section 3.1: insufficient_scope", "guard.go",
		`needed := strings.Join(scope, " ")`, `needed := strings.Join(scope[:0], " ")`,
		"TestBearerInsufficientScope",
	},
	{
		"RFC 7009 section 2.1: only its own client revokes a token", "revoke.go",
		`case t.applicationID != applicationID:`, `case t.applicationID == "":`,
		"TestRevokeTokenOfAnotherClient",
	},
	{
		"RFC 7636 section 4.3: plain is refused", "authorization.go",
		`case method != "S256":`, `case method != "S256" && method != "plain":`,
		"TestAuthorizeErrorsAreSentToTheClient",
	},
	{
		"RFC 7662 section 2.2: no client learns of another's token", "introspect.go",
		`case !anyToken && token.applicationID != asker.ID:`, `case token.applicationID == "":`,
		"TestIntrospectInactiveToken",
	},
	{
		"RFC 8252 section 7.3: the port of a loopback address is free", "redirect.go",
		`rest = port[end:]`, `rest = ":" + port`,
		"TestAuthorizeLoopbackPort",
	},
	{
		"RFC 8252 section 8.6: a public application is asked for each time", "authorize.go",
		`remembered := !a.app.Public && a.redirect.https()`, `remembered := a.redirect.https()`,
		"TestConsentIsRememberedForConfidentialApplicationsOnly",
	},
	{
		"RFC 8414 section 2: features that are off are not advertised", "metadata.go",
		`if m.RevocationEndpoint != "" {`, `{`,
		"TestMetadataOfEndpointsLeftOut",
	},
	{
		"RFC 8628 section 3.5: a device that asks too soon slows down", "device.go",
		`case tooSoon:`, `case tooSoon && device.Interval > time.Hour:`,
		"TestDeviceSlowDown",
	},
	{
		"RFC 8628 section 3.2: a device code expires", "device.go",
		`case now >= device.ExpiresAt:`, `case now < device.CreatedAt:`,
		"TestDeviceCodeExpires",
	},
	{
		"RFC 8628 section 5.1: guesses of user codes are limited", "device_visit.go",
		`if wait := v.guesses.take(v.session.UserID, v.now()); wait > 0 {`, `if wait := v.guesses.take(v.session.UserID, v.now()); wait > 0 && v.typed() == "" {`,
		"TestUserCodesCannotBeGuessed",
	},
	{
		"RFC 8628 section 5.1: a link doesn't count as a user's guess", "device_page.go",
		`entered := v.openNotice(enteredField, v.session.UserID, params.Get(enteredField))`, `entered := v.typed()`,
		"TestOtherSitesCannotLockOutOfDevices",
	},
	{
		"RFC 8628 section 6.1: user codes are accepted as people type them", "device_code.go",
		`strings.ToUpper(typed)`, `strings.TrimSpace(typed)`,
		"TestUserCodeInput",
	},
	{
		"RFC 9207 section 2: the issuer is in every answer", "authorization_answer.go",
		`params = append(params, param{"iss", a.cfg.Issuer})`, `// It is left out.`,
		"TestAuthorizeErrorsAreSentToTheClient",
	},
	{
		"RFC 7521 section 4.2: client_id and assertion name one client", "client_assertion.go",
		`if err == nil && clientID != "" && clientID != claimed {`, `if false {`,
		"TestAssertionAndOtherCredentials",
	},
	{
		"RFC 7521 section 4.2.1: a refused assertion is invalid_client", "client_keys.go",
		`return invalidClient("Client authentication failed: the client is unknown, or its client_assertion is not accepted.").tells(cause)`, `return refuse(codeInvalidGrant, "Client authentication failed: the client is unknown, or its client_assertion is not accepted.").tells(cause)`,
		"TestAssertionClaims",
	},
	{
		"RFC 7515 section 10: the keys of the client decide", "client_assertion.go",
		`content, e := c.verifyByKeys(app, assertion)`, `content, e := c.verifyByKeys(app, assertion)
	if e != nil && e.Code == codeInvalidClient {
		if _, rest, ok := strings.Cut(assertion, "."); ok {
			payload, _, _ := strings.Cut(rest, ".")
			content, _ = base64.RawURLEncoding.DecodeString(payload)
			e = nil
		}
	}`,
		"TestAssertionSignature",
	},
	{
		"RFC 7523 section 3: the audience is this server only", "client_assertion.go",
		`case len(claims.audience) != 1:`, `case len(claims.audience) == 0:`,
		"TestAssertionClaims",
	},
	{
		"An assertion for another server is refused", "client_assertion.go",
		`case !slices.Contains(audiences, claims.audience[0]):`, `case false:`,
		"TestAssertionClaims",
	},
	{
		"An assertion expires", "client_assertion.go",
		`case !now.Before(claims.expires.Add(assertionSkew)):`, `case false:`,
		"TestAssertionClaims",
	},
	{
		"An assertion lasts no longer than an hour", "client_assertion.go",
		`maxAssertionLife = time.Hour`, `maxAssertionLife = 10 * time.Hour`,
		"TestAssertionClaims",
	},
	{
		"An assertion doesn't work before its time", "client_assertion.go",
		`case claims.notBefore.After(now.Add(assertionSkew)):`, `case false:`,
		"TestAssertionClaims",
	},
	{
		"OpenID Connect Core section 9: a jti works once", "documents.go",
		`return kept.Mark == d.Mark, nil`, `return kept.Mark != 0, nil`,
		"TestAssertionWorksOnce",
	},
	{
		"A jti is remembered while the assertion is valid", "client_assertion.go",
		`claims.expires.Add(assertionSkew+clockMargin))`, `c.now())`,
		"TestAssertionWorksOnce",
	},
	{
		"A jti belongs to one client", "client_assertion.go",
		`store.OnceID(app.ID, claims.id)`, `store.OnceID("", claims.id)`,
		"TestAssertionWorksOnce",
	},
	{
		"An application with keys can't authenticate in another way", "client.go",
		`	case !app.Keys.IsZero():
		return errSecret(`, `	case !app.Keys.IsZero():
		return nil
	case app.ID == "":
		return errSecret(`,
		"TestAssertionAndOtherCredentials",
	},
	{
		"A key that a document no longer lists doesn't verify", "client_keys.go",
		`		keys = described.Keys
`, `		_ = described
`,
		"TestDocumentWithKeys",
	},
	{
		"RFC 9700 section 2.1: redirect URIs match exactly", "redirect.go",
		`if slices.Contains(app.RedirectURIs, presented) {`, `if slices.ContainsFunc(app.RedirectURIs, func(uri string) bool { return strings.EqualFold(uri, presented) }) {`,
		"TestAuthorizeRedirectURIMatchesExactly",
	},
	{
		"RFC 9700 section 2.1.1: PKCE is required of public applications", "authorization.go",
		`case challenge == "" && (a.app.Public || a.app.PKCERequired):`, `case challenge == "" && a.app.PKCERequired && !a.app.Public:`,
		"TestAuthorizeErrorsAreSentToTheClient",
	},
	{
		"RFC 9700 section 4.14.2: the grace ends", "exchange.go",
		`q.AccessExpiresAt, q.RefreshExpiresAt = last.Grace, rules`, `q.AccessExpiresAt, q.RefreshExpiresAt = last.Grace*2, rules`,
		"TestRefreshTokenReuse",
	},
	{
		"RFC 9700 section 2.2.2: an old token of a public application is good for minutes", "lifetimes.go",
		`l.Grace = min(l.Grace, maxPublicGrace)`, `l.Grace = min(l.Grace, 2*maxPublicGrace)`,
		"TestGraceOfPublicApplicationsIsShort",
	},
	{
		"RFC 9700 section 4.14.2: an old token continues the only chain", "internal/rules/rotate.go",
		`from, r = r.Refresh, Rotated{}`, `r = Rotated{}`,
		"TestProcessesWithOldTokensKeepOneChain",
	},
	{
		"RFC 9700 section 4.14.2: more refreshes can't hide a reuse", "exchange.go",
		`Public:        x.app.Public,`, ``,
		"TestTokensThatAreForgotten",
	},
	{
		"RFC 9700 section 4.11.2: no redirect before the visitor has signed in", "authorize.go",
		`case a.anonymous() && !a.silent():`, `case a.anonymous() && !a.silent() && refusal == nil:`,
		"TestAuthorizeErrorsAreSentToTheClient",
	},
	{
		"A write does not end with its request", "documents.go",
		`return context.WithoutCancel(ctx)`, `return ctx`,
		"TestHangingUpIsNotAReplay",
	},
	{
		"No log line holds an address", "call.go",
		`attrs := []any{"endpoint", c.endpoint,`, `attrs := []any{"hint", c.r.URL.Query().Get("login_hint"), "endpoint", c.endpoint,`,
		"TestLogsHoldNoSecret",
	},
	{
		"RP-Initiated Logout section 3: the URI is compared byte for byte", "logout.go",
		`if !slices.Contains(app.PostLogoutRedirectURIs, uri) {`,
		`if !slices.ContainsFunc(app.PostLogoutRedirectURIs, func(u string) bool { return len(uri) >= len(u) && uri[:len(u)] == u }) {`,
		"TestOpenIDLogout",
	},
	{
		"RP-Initiated Logout section 2: another user's ID token doesn't sign the user out", "logout.go",
		`v.hinted = token.Subject == v.session.UserID && sameSession`, `v.hinted = sameSession`,
		"TestLogoutAsksUsersThatTheHintDoesNotName",
	},
	{
		"RP-Initiated Logout section 2: nor that of another session", "logout.go",
		`v.hinted = token.Subject == v.session.UserID && sameSession`, `v.hinted = token.Subject == v.session.UserID || sameSession && false`,
		"TestLogoutAsksUsersThatTheHintDoesNotName",
	},
	{
		"A sign-out link doesn't redirect to an application that isn't reviewed", "logout.go",
		`case v.uri != "" && v.app.Reviewed:`, `case v.uri != "":`,
		"TestLogoutIsNotAnOpenRedirector",
	},
	{
		"RFC 9700 section 4.15.1: a guard for people lets no machine in", "guard.go",
		`if t.machine() && !g.machines {`, `if false {`,
		"TestMachineIsNotAUser",
	},
	{
		"RFC 7662 section 2.2: a machine's sub isn't a user's ID", "introspect.go",
		`subject = machineSubject + asker.ClientID`, `subject = asker.ClientID`,
		"TestMachineIsNotAUser",
	},
	{
		"RFC 6749 section 5.2: a machine gets none of the scopes that its application may ask people for", "resource.go",
		`if excess := asked.Minus(may); len(excess) > 0 {`, `if excess := asked.Minus(may.Union(app.Scopes)); len(excess) > 0 {`,
		"TestMachineScope",
	},
}
