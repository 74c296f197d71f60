package diagnose

import "strings"

// A kind is one kind of problem of a deployment.
type kind struct {
	code            string
	problem, remedy string
	hides           bool     // the remaining checks are skipped
	shows           []string // the headers of the answer that show the problem
}

// say fills the placeholders in a text.
func (k kind) say(text string, d *doctor, detail string) string {
	return strings.NewReplacer("{detail}", detail, "{issuer}", d.issuer.String(), "{host}", d.issuer.Host).Replace(text)
}

func kindOf(code string) kind {
	for _, k := range kinds {
		if k.code == code {
			return k
		}
	}
	panic("diagnose: no kind has the code " + code)
}

// kinds are in the order of findings: causes come before their effects.
var kinds = []kind{
	// Nothing answers.
	{code: "name-unknown", hides: true, problem: "The name {host} is not in the DNS.",
		remedy: "Add a DNS record for it, or correct the name. A new record can take some minutes to show."},
	{code: "unreachable", hides: true, problem: "{host} can't be reached: {detail}.",
		remedy: "Start the server or proxy, check that it listens on that port of the public address, and open the port in the firewall."},
	{code: "no-answer", hides: true, problem: "{host} doesn't answer {places} in time.",
		remedy: "If nothing answers at all, a firewall drops the packets. If only this path hangs, look at what the app waits for there, such as its database."},

	// TLS.
	{code: "tls-missing", hides: true, problem: "{host} speaks plain http at the port for https.",
		remedy: "Switch TLS on in the server or proxy that listens there."},
	{code: "tls-wrong-name", hides: true, problem: "The TLS certificate is for another name than {host}.",
		remedy: "Get a certificate for {host}; this one is for {detail}. If there are several sites, the proxy may choose the wrong one: look at its server_name."},
	{code: "tls-expired", hides: true, problem: "The TLS certificate has expired, at {detail}.",
		remedy: "Renew it, reload the proxy, and find out why the automatic renewal failed."},
	{code: "tls-not-yet", hides: true, problem: "The TLS certificate is not valid before {detail}.",
		remedy: "Set the clock of this machine, or that of the machine that made the certificate."},
	{code: "tls-chain", hides: true, problem: "The server doesn't send the intermediate certificate, so many clients don't trust it.",
		remedy: "Configure the full chain, fullchain.pem in place of cert.pem: missing is {detail}. Browsers often find it anyway; programs don't."},
	{code: "tls-untrusted", hides: true, problem: "Clients don't trust the TLS certificate: it is self-signed, or its authority is unknown.",
		remedy: "Use a certificate from a public authority, such as Let's Encrypt. Other people's applications don't trust a private one."},
	{code: "tls-client-certificate", hides: true, problem: "Something in front of the provider asks for a client certificate.",
		remedy: "Switch that off for the provider's paths (ssl_verify_client, client_auth): other people's applications and browsers don't have one."},
	{code: "tls-handshake", hides: true, problem: "The TLS handshake fails.",
		remedy: "Allow TLS 1.2 and 1.3 with the usual ciphers, and see that the name {host} has a certificate there."},

	// Something else answers, on all or most paths.
	{code: "app-down", problem: "A proxy answers in place of the app, which it can't reach, at {places}.",
		remedy: "Check that the app runs, and that the proxy has the address and port on which it listens."},
	{code: "store-down", problem: "The provider can't serve {places} now: its store, or a function of your Config, fails.",
		remedy: "Look for \"latchkey: request failed\" in the log: its cause names the database or the function. If tables are missing, call Migrate."},
	{code: "app-fails", problem: "The app fails with an internal error at {places}.",
		remedy: "Look for the panic or error in its log. On pages, a common cause is missing session middleware: routes with Route.Session need it."},
	{code: "bot-check", problem: "A check for bots is in front of {places}.",
		remedy: "Exempt the provider's paths from it: applications are programs, and can't pass it."},
	{code: "rate-limited", problem: "A rate limit refuses even the first requests, at {places}.",
		remedy: "Behind a proxy, set Config.ClientIP: otherwise all clients share one limit. If the proxy has the limit, raise it for these paths."},
	{code: "password-wall", problem: "HTTP authentication asks for a password in front of {places}.",
		remedy: "Exempt these paths, in nginx with auth_basic off: applications don't know the password, and need the Authorization header themselves."},
	{code: "login-wall", problem: "A login wall is in front of {places}.",
		remedy: "Exempt the paths of p.Routes() from the middleware that demands a signed-in user: programs call them without cookies, and the authorization endpoint sends visitors to sign in by itself."},
	{code: "redirect-to-https", hides: true, problem: "{host} redirects to https, and http was asked for.",
		remedy: "Use {detail} as the issuer, in Config.Issuer and in what you give to applications."},
	{code: "redirect-loop", problem: "The proxy redirects {places} to itself.",
		remedy: "The app or the proxy thinks that the request came over http. Redirect to https in one place only, where TLS ends, or pass X-Forwarded-Proto on."},
	{code: "redirect-to-host", problem: "{places} redirects to another host, {detail}.",
		remedy: "Make Config.Issuer {detail} if that is the public name, or take the redirect away from the provider's paths. Programs don't follow redirects, or lose the body when they do."},
	{code: "redirect-slash", problem: "A redirect adds or removes the slash at the end, from {places} to {detail}.",
		remedy: "Switch that off for the provider's paths, in the router (RedirectTrailingSlash, StripSlashes) or the proxy."},
	{code: "redirect", problem: "Something in front redirects {places} to {detail}.",
		remedy: "Exempt the provider's paths from that rule. It is often one for languages or old addresses."},
	{code: "spa-catch-all", problem: "A catch-all page, such as that of a single-page app, answers {places}.",
		remedy: "Route the provider's paths, /.well-known/ among them, to the app before the rule that falls back to index.html."},
	{code: "metadata-not-in-front", hides: true, problem: "The metadata is not at {places}, where RFC 8414 puts it for an issuer with a path.",
		remedy: "Make the proxy pass this path on too, without stripping anything: see \"Under a prefix\" in docs/howto/proxy.md."},
	{code: "metadata-missing", hides: true, problem: "The metadata is not passed on: {places} is not found, though the provider is there.",
		remedy: "Make the proxy pass /.well-known/oauth-authorization-server on to the app: a rule for /.well-known/, for certificates or for dot files, may catch it. If Config.Paths.NoMetadata is set, unset it."},
	{code: "nothing-here", hides: true, problem: "There is no provider at {issuer}.",
		remedy: "Give the URL that is Config.Issuer, with its path. If it is right, call p.Mount, and make the proxy pass the paths of p.Routes() on to the app, with the original Host if the app serves several."},
	{code: "metadata-broken", hides: true, problem: "The document at {places} is not metadata: it is cut off, changed, or another one.",
		remedy: "Remove what changes answers in front of the app, such as a filter in the proxy, and any file with that name."},

	// The issuer, which determines everything else.
	{code: "issuer-inner", hides: true, problem: "Config.Issuer is {detail}, an internal name, and not {issuer}.",
		remedy: "Set Config.Issuer to {issuer}, as browsers and applications see it. It is probably left over from development."},
	{code: "issuer-host", hides: true, problem: "Config.Issuer is {detail}, and not {issuer}: the host differs.",
		remedy: "Set Config.Issuer to {issuer}, or give applications {detail}: they compare it character for character."},
	{code: "issuer-scheme", hides: true, problem: "Config.Issuer is {detail}, and not {issuer}: the scheme differs.",
		remedy: "Set Config.Issuer to {issuer}. TLS that ends at the proxy counts: the issuer is what browsers see."},
	{code: "issuer-path", hides: true, problem: "Config.Issuer is {detail}, and not {issuer}: the path differs.",
		remedy: "Set Config.Issuer to {issuer}, or give applications {detail}."},
	{code: "issuer-not-https", problem: "The issuer is plain http: anyone on the network path can read codes, tokens and passwords.",
		remedy: "Put TLS in front, and set Config.Issuer to the https URL."},
	{code: "instances-differ", problem: "Two instances, or a cache and the app, disagree: {places} {detail}.",
		remedy: "Run the same version with the same Config on all instances, and empty the cache in front."},
	{code: "metadata-rewritten", hides: true, problem: "Something rewrites the metadata: it names {detail}, which is not below the issuer.",
		remedy: "Exempt the provider's paths from filters such as sub_filter."},

	// Single paths.
	{code: "not-passed-on", problem: "{places} is not passed on to the app, or is not mounted.",
		remedy: "Pass all paths of p.Routes() on, for all methods, and register them before the rules for everything else."},
	{code: "method-blocked", problem: "Something in front doesn't let {detail} through to {places}.",
		remedy: "Allow GET, POST, PUT, DELETE, OPTIONS and HEAD on the provider's paths."},
	{code: "csrf-check", problem: "A CSRF check refuses {places}.",
		remedy: "Exempt the paths of p.Routes() from it: programs and other sites call them, and the provider protects its own forms."},
	{code: "blocked", problem: "A firewall or access rule refuses {places}.",
		remedy: "Allow these paths for everyone, from any address and for any program."},
	{code: "errors-replaced", problem: "The proxy replaces error answers with its own pages, at {places}.",
		remedy: "Switch that off for the provider's paths, in nginx with proxy_intercept_errors off: the bodies and headers of refusals are part of OAuth."},
	{code: "foreign-answer", problem: "Something other than the provider answers {places}.",
		remedy: "The evidence shows what it is. Make it pass these paths on to the app."},

	// What is removed or added on the way in.
	{code: "authorization-eaten", problem: "The Authorization header doesn't arrive at {places}: something in front removes it.",
		remedy: "Pass it on: in nginx, delete proxy_set_header Authorization \"\", and look at middleware and gateways that check or strip it."},
	{code: "authorization-replaced", problem: "Something in front sets its own Authorization header, at {places}.",
		remedy: "Remove that, such as proxy_set_header Authorization or a password for the app: the header belongs to the client."},
	{code: "body-eaten", problem: "The body of the request doesn't arrive at {places}.",
		remedy: "Exempt the provider's paths from middleware that reads the body, such as one that logs it, or make it put the body back."},
	{code: "query-eaten", problem: "The query of the request doesn't arrive at {places}.",
		remedy: "Pass it on: in nginx, add $is_args$args where proxy_pass or rewrite is written with variables; in a CDN, forward all query strings."},
	{code: "long-urls", problem: "Long URLs are refused at {places}; authorization requests of 4 KB are usual.",
		remedy: "Allow 16 KB for the request line and for a header, in nginx with large_client_header_buffers 4 16k."},

	// What is removed or added on the way out.
	{code: "challenge-eaten", problem: "The header WWW-Authenticate of refusals at {places} is removed or renamed.",
		remedy: "Pass it on: it tells clients that a token has expired, and where to get one.", shows: []string{"WWW-Authenticate", "X-Amzn-Remapped-Www-Authenticate"}},
	{code: "metadata-type", problem: "The metadata has the content type {detail} in place of application/json.",
		remedy: "Leave the header as the app sets it."},
	{code: "cors-twice", problem: "CORS is answered twice at {places}: browsers refuse two Access-Control-Allow-Origin.",
		remedy: "Exempt the provider's paths from CORS middleware and add_header: the provider answers CORS itself.", shows: []string{"Access-Control-Allow-Origin"}},
	{code: "cors-credentials", problem: "Something in front answers CORS at {places}, with credentials.",
		remedy: "Exempt the provider's paths from CORS middleware: the provider answers CORS itself, for all origins and without credentials.", shows: []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"}},
	{code: "cors-preflight", problem: "The preflight of browsers doesn't arrive at {places}, so programs in browsers can't call it.",
		remedy: "Pass OPTIONS on to the provider, and exempt its paths from CORS middleware.", shows: []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Allow"}},
	{code: "cors-missing", problem: "The header Access-Control-Allow-Origin of {places} is removed or replaced, so programs in browsers can't read the answer.",
		remedy: "Leave the header as the provider sets it, on errors too, and exempt its paths from CORS middleware.", shows: []string{"Access-Control-Allow-Origin"}},
	{code: "cors-authorize", problem: "Something in front answers CORS at {places}, which is a page.",
		remedy: "Exempt it from CORS middleware: no other site may read the provider's pages.", shows: []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"}},
	{code: "cached", problem: "Something in front has cached {places}, which differs for each visitor.",
		remedy: "Make the cache respect Cache-Control: no-store, or exempt the provider's paths.", shows: []string{"Age", "X-Cache", "Cf-Cache-Status", "Cache-Control"}},
	{code: "cache-control", problem: "The header Cache-Control: no-store of {places} is removed or replaced.",
		remedy: "Leave it as the provider sets it: in nginx, remove expires, add_header Cache-Control and proxy_hide_header there.", shows: []string{"Cache-Control"}},
	{code: "cached-long", problem: "{places} is cached for too long: {detail}.",
		remedy: "Leave Cache-Control as the provider sets it: clients must see new keys and endpoints soon.", shows: []string{"Cache-Control", "Age"}},
	{code: "page-unprotected", problem: "The headers that protect the provider's pages are removed or replaced, at {places}.",
		remedy: "Leave Content-Security-Policy and X-Frame-Options as they are. Without them, other sites can put the consent page into a frame.", shows: []string{"Content-Security-Policy", "X-Frame-Options"}},
	{code: "page-policy", problem: "An added Content-Security-Policy breaks the provider's pages: {detail}.",
		remedy: "Exempt the provider's paths from it, or remove form-action and style-src (and default-src) out of the policy.", shows: []string{"Content-Security-Policy"}},

	// The way to sign in.
	{code: "inner-host", problem: "Visitors are sent to {detail} to sign in, an internal address: the proxy replaces the Host header.",
		remedy: "Make the proxy pass the original Host on (in nginx, proxy_set_header Host $host), or redirect to paths in your app."},
	{code: "inner-scheme", problem: "Visitors are sent to plain http to sign in, {detail}.",
		remedy: "Redirect to paths in your app, or build its URLs from X-Forwarded-Proto, and make the proxy set that."},
	{code: "sign-in-missing", problem: "There is no sign-in page at {places}, where visitors are sent.",
		remedy: "Give RedirectTo the path as browsers see it. If the proxy strips a prefix, the path includes it."},
	{code: "sign-in-loop", problem: "The sign-in page, {places}, redirects to itself.",
		remedy: "Exempt it from the login wall: it must show its form to visitors who have no session."},
	{code: "sign-in-policy", problem: "The Content-Security-Policy of the sign-in page, {places}, keeps users from getting back to applications.",
		remedy: "Allow https: in its form-action, and the schemes of native applications: browsers apply it to the redirects that follow the form.", shows: []string{"Content-Security-Policy"}},
	{code: "cookie-strict", problem: "The cookie {detail} has SameSite=Strict, so visitors who come from an application aren't signed in.",
		remedy: "Set SameSite=Lax on the session cookie, in the app, or in the proxy if that changes cookies.", shows: []string{"Set-Cookie"}},
	{code: "cookie-none", problem: "The cookie {detail} has SameSite=None without Secure, so browsers drop it.",
		remedy: "Set SameSite=Lax and Secure on the session cookie.", shows: []string{"Set-Cookie"}},
	{code: "cookie-insecure", problem: "The cookie {detail} is not Secure, so browsers also send it over plain http.",
		remedy: "Set Secure on the session cookie. Behind a proxy the app sees plain http, so don't make it depend on that.", shows: []string{"Set-Cookie"}},
	{code: "cookie-domain", problem: "The cookie {detail} is for another domain than {host}, so browsers drop it.",
		remedy: "Leave Domain out, or make the proxy pass the original Host on, if the app takes the domain from there.", shows: []string{"Set-Cookie"}},
	{code: "cookie-path", problem: "The Path of the cookie {detail} doesn't include {places}.",
		remedy: "Set Path=/ on the session cookie: the authorization endpoint and the sign-in page both need it.", shows: []string{"Set-Cookie"}},
	{code: "cookie-public", problem: "The cookie {detail} is set by {places}, which caches keep and give to everyone.",
		remedy: "Exempt the routes without Route.Session from the middleware that sets it, for sessions or CSRF.", shows: []string{"Set-Cookie", "Cache-Control"}},

	// The rest.
	{code: "clock", problem: "The clock of the deployment is {detail}, compared with the one here.",
		remedy: "Synchronize both with NTP. The provider's clock decides what has expired.", shows: []string{"Date"}},
	{code: "http-open", problem: "The provider also answers over plain http.",
		remedy: "Redirect http to https, or close the port: a client with the wrong URL would send its secret in the clear."},
	{code: "tls-expires-soon", problem: "The TLS certificate expires at {detail}, and has not been renewed.",
		remedy: "Renew it, and find out why the automatic renewal failed."},
	{code: "discovery-other", problem: "The OpenID Connect document at {places} is not the provider's: {detail}.",
		remedy: "Make the proxy pass this path on to the app, and remove what else is there, such as an old provider's document."},
	{code: "keys-missing", problem: "The keys that ID tokens are verified with are not at {places}: {detail}.",
		remedy: "Make the proxy pass this path on to the app, and leave the answer as it is."},
	{code: "resource-metadata", problem: "The metadata of a resource is not at {places}: {detail}.",
		remedy: "Make the proxy pass this path on to the app without stripping anything. For a resource on another host, mount p.Resource(url).MetadataHandler() there."},
	{code: "resource-challenge", problem: "The refusal of the resource at {places} doesn't say where its metadata is, so agents can't find out where to get a token.",
		remedy: "Guard it with p.Resource(url).Require, not with p.Require, and pass WWW-Authenticate on.", shows: []string{"WWW-Authenticate"}},
	{code: "resource-open", problem: "The resource at {places} answers without a token.",
		remedy: "Put p.Resource(url).Require in front of it, for every method."},
	{code: "application-unknown", problem: "The client_id is not known there.",
		remedy: "Register the application, or use the client_id that CreateApplication returned. A memory store forgets it at a restart."},
	{code: "application-sometimes", problem: "Some instances know the client_id and others don't.",
		remedy: "Give all instances one store: each process has its own store in memory. A replica that lags behind looks the same."},
	{code: "application-no-redirect", problem: "The application has no redirect URI, so it can't sign anyone in.",
		remedy: "Register one with UpdateApplication."},
}
