package provider

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/store"
)

// Advice describes one setting of a [Provider] that works but is risky in
// production.
type Advice struct {
	// Code identifies the advice, such as "issuer-not-https". Codes are stable,
	// so you can filter those that you have reviewed.
	Code string

	// Field is the field of [Config] that the advice is about, such as "Issuer".
	// It is empty if the advice is about an argument of a method.
	Field string

	// Text says in English what is risky, what can happen, and what to do. It
	// contains no secret, and may change.
	Text string
}

// String returns the code and the text.
func (a Advice) String() string { return a.Code + ": " + a.Text }

// The bounds from which on Check calls something long. RFC 6749 section 4.1.2
// has that of the code; the others are judgement.
const (
	longCode         = 10 * time.Minute
	longAccess       = 24 * time.Hour
	longRefresh      = 90 * 24 * time.Hour
	longGrace        = 2 * time.Minute
	longStoreTimeout = 30 * time.Second
	longUnused       = 366 * 24 * time.Hour
)

// shortKey is the least number of characters that hold 128 random bits even
// where each is a hexadecimal digit.
const shortKey = 32

// Check returns the settings that are risky in production, such as an issuer
// without TLS, a store that forgets, or lifetimes that are too long. Call it at
// startup and log the result. These are warnings, not errors, and many are fine
// in development. docs/reference/checks.md lists them all.
//
// Pass the keys that you gave to [BearerKey], so that Check can tell whether
// they are strong enough. Check does no I/O: it inspects the Config and calls
// [store.Volatile]. It can't see inside a store that you composed, what Limit,
// Events, and Allow do, how applications are registered, your session and
// proxy, or whether [Provider.Cleanup] is called.
func (p *Provider) Check(keys ...string) []Advice {
	r := review{Provider: p}
	r.checkDeployment(keys)
	r.checkTimes()
	r.checkStrangers()
	r.checkResources()
	return r.advice
}

// A review collects advice on a provider.
type review struct {
	*Provider
	advice []Advice
}

func (r *review) add(unwise bool, code, field, text string) {
	if unwise {
		r.advice = append(r.advice, Advice{code, field, text})
	}
}

// checkDeployment adds what there is to say of the Config as a whole, and of the
// host's keys.
func (r *review) checkDeployment(keys []string) {
	c := r.cfg
	r.add(!r.secure(), "issuer-not-https", "Issuer",
		"The issuer is http, so codes and tokens cross the network in the clear and the cookies of the pages are not Secure. Serve the app by https, and let Issuer say so.")
	r.add(r.secure() && isOwnMachine(r.issuer), "issuer-loopback", "Issuer",
		"The issuer names the machine itself, so nobody reaches the provider from another one. Set Issuer to the URL that users and applications use.")
	r.add(c.AllowHTTP, "http-allowed", "AllowHTTP",
		"Applications at private addresses may be answered by plain http, so whoever listens in that network can take codes and tokens. Use https, and leave AllowHTTP out, wherever you can.")
	volatile, ok := c.Store.(store.Volatile)
	r.add(ok && volatile.Forgets(), "store-volatile", "Store",
		"The store forgets everything when the process ends: applications, sign-ins and consents. A second process does not see them either. Use a database.")
	r.add(c.Events == nil, "events-missing", "Events",
		"Only lines in the log say when a spent code or refresh token comes again, or when clients keep failing to authenticate, which is how theft shows. Set Events, and have somebody alerted: LogEvents writes them to a log.")
	r.add(c.Limit == nil, "limit-missing", "Limit", r.limitMissing())
	r.add(c.Limit != nil && r.secure() && r.ownAddress, "client-ip-missing", "ClientIP",
		"Limit is given the address of the connection. Behind a proxy that is the proxy's, so that one noisy client uses up everybody's share. Set ClientIP, without a proxy to a function that returns the address of the connection.")
	r.add(c.TokenPrefix == "", "token-prefix-missing", "TokenPrefix",
		"Tokens look like those of any other host, so a scanner that finds a leaked one cannot tell whose it is. Set TokenPrefix before tokens are out, as changing it makes all of them invalid.")
	r.add(slices.ContainsFunc(keys, func(key string) bool { return key != "" && len(key) < shortKey }), "key-short", "",
		"A key for the Backend API, introspection or the like has fewer than 32 characters, and whoever guesses it has what it opens. Use a random one, such as openssl rand -hex 32 prints.")
}

// checkTimes adds what there is to say of lifetimes and the like. It can't see
// those of applications, which are in the store.
func (r *review) checkTimes() {
	c := r.cfg
	r.checkLifetimes("Lifetimes", c.Lifetimes)
	for i, resource := range c.Resources {
		r.checkLifetimes(fmt.Sprintf("Resources[%d].Lifetimes", i), resource.Lifetimes)
	}
	r.add(c.StoreTimeout > longStoreTimeout, "store-timeout-long", "StoreTimeout",
		"A request waits for the store for more than 30 seconds. When the database hangs, requests pile up, while their clients have long given up. Make StoreTimeout shorter.")
}

func (r *review) checkLifetimes(field string, l Lifetimes) {
	r.add(l.Code > longCode, "code-lifetime-long", field+".Code",
		"Authorization codes work for more than 10 minutes, although an application redeems one at once. A code that ends up in a log or a history stays of use for so long. Leave Lifetimes.Code at zero.")
	r.add(l.Access > longAccess, "access-lifetime-long", field+".Access",
		"Access tokens work for more than 24 hours. A leaked one is good for anybody until it expires, and nothing shows that two use it. Make Lifetimes.Access shorter: applications refresh by themselves.")
	r.add(l.Refresh > longRefresh, "refresh-lifetime-long", field+".Refresh",
		"Refresh tokens work for more than 90 days. One that is stolen from a device which nobody uses any more is not noticed for so long. Make Lifetimes.Refresh shorter: each refresh starts it anew.")
	r.add(l.Grace > longGrace, "refresh-grace-long", field+".Grace",
		"A refresh token that was replaced still gets the current tokens for more than 2 minutes. A thief who has one, and can act as the application, has the sign-in as well as its owner, and goes unseen by refreshing once in that time. "+
			"To act as a public application takes nothing but the token, so for those it ends after 10 minutes; others have to authenticate. Make Lifetimes.Grace shorter, and give an application that needs more time a Grace in its own Lifetimes.")
}

// checkStrangers adds advice on applications that the host did not create.
func (r *review) checkStrangers() {
	if c := r.cfg.Registration; r.registers() && c.Allow == nil {
		r.add(c.ExpireAfter > longUnused, "registration-kept-long", "Registration.ExpireAfter",
			"Anybody may register applications, and Cleanup keeps those that nobody uses for more than a year, so the store grows. Leave ExpireAfter at zero, or set Allow.")
		r.add(c.Scopes == nil, "registration-scopes-all", "Registration.Scopes",
			"Anybody may register an application that asks users for every scope. Users agree to what they should not. List in Scopes what a stranger may ask for, or set Allow.")
	}
	if d := r.cfg.ClientIDDocuments; d != nil {
		r.add(d.Allow == nil && d.Scopes == nil, "documents-scopes-all", "ClientIDDocuments.Scopes",
			"Any application with a document may ask users for every scope. Users agree to what they should not. List in Scopes what a stranger may ask for, or set Allow.")
	}
	if r.cfg.ClientIDDocuments != nil || r.cfg.Keys != nil && r.registers() {
		r.add(r.cfg.Transport != nil, "documents-transport", "Transport",
			"Documents and key sets of strangers are fetched by a Transport of your own, without the built-in check of addresses: they can make it ask hosts inside your network. Leave Transport nil, or see to it that your proxy reaches nothing inside.")
	}
}

func (r *review) checkResources() {
	for i, c := range r.cfg.Resources {
		r.add(strings.HasPrefix(c.URL, "http:"), "resource-not-https", fmt.Sprintf("Resources[%d].URL", i),
			"The resource "+strconv.Quote(c.URL)+" is http on the machine itself, so nobody gets a token that works in production. Set it to the https URL that its clients use.")
		r.add(r.offer.closes(r.resources[i].scopes), "resource-closed", fmt.Sprintf("Resources[%d].Scopes", i),
			"Applications that registered themselves or have a document may ask for none of the scopes of the resource "+strconv.Quote(c.URL)+", so MCP clients that find it can't use it. If they should, add one of its scopes to Registration.Scopes or ClientIDDocuments.Scopes.")
	}
}

// limitMissing says what the host has switched on that makes a limit needed
// most.
func (r *review) limitMissing() string {
	text := "Nothing here limits how often anybody may call the token endpoint and its like, and each call costs the store work. "
	if r.registers() && r.cfg.Registration.Allow == nil {
		text += "Anybody can fill the store by registering applications. "
	}
	if r.cfg.DeviceAuthorization != nil {
		text += "Wrong user codes of devices are counted in each process apart. "
	}
	if r.cfg.ClientIDDocuments != nil {
		text += "Users can make this server fetch documents. "
	}
	return text + "Set Limit, to LimitByAddress(600) for one, even if a proxy has a limit of its own: it knows nothing of clients."
}

// isOwnMachine reports whether the URL leads each machine to itself.
func isOwnMachine(u *url.URL) bool {
	return weburl.IsLoopback(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".localhost")
}
