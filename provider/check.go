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

// Check warns about durations longer than these. RFC 6749 section 4.1.2
// recommends the lifetime of the code; the others are Latchkey's choice.
const (
	longCode         = 10 * time.Minute
	longAccess       = 24 * time.Hour
	longRefresh      = 90 * 24 * time.Hour
	longGrace        = 2 * time.Minute
	longStoreTimeout = 30 * time.Second
	longUnused       = 366 * 24 * time.Hour
)

// shortKey is the least number of characters that hold 128 random bits, even if
// each is a hexadecimal digit.
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

func (r *review) add(risky bool, code, field, text string) {
	if risky {
		r.advice = append(r.advice, Advice{code, field, text})
	}
}

// checkDeployment adds advice on the Config as a whole, and on the host's keys.
func (r *review) checkDeployment(keys []string) {
	c := r.cfg
	r.add(!r.secure(), "issuer-not-https", "Issuer",
		"The issuer is http, so codes and tokens cross the network unencrypted, and the cookies of the pages are not Secure. Serve the app over https, and set Issuer to its https URL.")
	r.add(r.secure() && isOwnMachine(r.issuer), "issuer-loopback", "Issuer",
		"The issuer is a loopback address, so no other machine can reach the provider. Set Issuer to the URL that users and applications use.")
	r.add(c.AllowHTTP, "http-allowed", "AllowHTTP",
		"The issuer, resources, and redirect URIs may use plain http at private addresses, so anyone who can listen in that network can steal codes and tokens. Use https and leave AllowHTTP false if you can.")
	volatile, ok := c.Store.(store.Volatile)
	r.add(ok && volatile.Forgets(), "store-volatile", "Store",
		"The store is in memory. It loses all applications, sign-ins, and consents when the process ends, and a second process doesn't see them. Use a database.")
	r.add(c.Events == nil, "events-missing", "Events",
		"The signs of theft, such as a reused code or refresh token or repeated failures to authenticate, appear only as log lines. Set Events and alert on them. LogEvents writes them to a log.")
	r.add(c.Limit == nil, "limit-missing", "Limit", r.limitMissing())
	r.add(c.Limit != nil && r.secure() && r.ownAddress, "client-ip-missing", "ClientIP",
		"Limit gets the address of the connection. Behind a proxy that is the proxy's address, so one noisy client uses up the limit for all. Set ClientIP. Without a proxy, set it to a function that returns the address of the connection.")
	r.add(c.TokenPrefix == "", "token-prefix-missing", "TokenPrefix",
		"Tokens look like those of any other host, so a secret scanner that finds a leaked one can't tell that it is yours. Set TokenPrefix before you issue tokens: changing it later invalidates all of them.")
	r.add(slices.ContainsFunc(keys, func(key string) bool { return key != "" && len(key) < shortKey }), "key-short", "",
		"A key for the Backend API, introspection, or the like has fewer than 32 characters, so an attacker may guess it. Use a random one, such as the output of openssl rand -hex 32.")
}

// checkTimes adds advice on durations. It can't see the lifetimes of
// applications, which are in the store.
func (r *review) checkTimes() {
	c := r.cfg
	r.checkLifetimes("Lifetimes", c.Lifetimes)
	for i, resource := range c.Resources {
		r.checkLifetimes(fmt.Sprintf("Resources[%d].Lifetimes", i), resource.Lifetimes)
	}
	r.add(c.StoreTimeout > longStoreTimeout, "store-timeout-long", "StoreTimeout",
		"A request may wait more than 30 seconds for the store. If the database hangs, requests pile up although their clients gave up long ago. Set a shorter StoreTimeout.")
}

func (r *review) checkLifetimes(field string, l Lifetimes) {
	r.add(l.Code > longCode, "code-lifetime-long", field+".Code",
		"Authorization codes work for more than 10 minutes, although an application redeems one at once. A code that leaks through a log or a browser history stays useful for that long. Leave Lifetimes.Code at zero.")
	r.add(l.Access > longAccess, "access-lifetime-long", field+".Access",
		"Access tokens work for more than 24 hours. A leaked one works for anyone until it expires, and nothing shows that it is stolen. Set a shorter Lifetimes.Access: applications refresh on their own.")
	r.add(l.Refresh > longRefresh, "refresh-lifetime-long", field+".Refresh",
		"Refresh tokens work for more than 90 days. If one is stolen from a device that is no longer used, the theft can stay unnoticed for that long. Set a shorter Lifetimes.Refresh: each refresh starts it again.")
	r.add(l.Grace > longGrace, "refresh-grace-long", field+".Grace",
		"A replaced refresh token still gets the current tokens for more than 2 minutes. A thief who has one, and can act as the application, can share the sign-in, and stays undetected by refreshing once in that time. "+
			"For a public application the token alone is enough, so its Grace ends after 10 minutes at the latest; other applications must authenticate. Set a shorter Lifetimes.Grace. If an application needs more time, set Grace in its Lifetimes.")
}

// checkStrangers adds advice on applications that the host did not create.
func (r *review) checkStrangers() {
	if c := r.cfg.Registration; r.registers() && c.Allow == nil {
		r.add(c.ExpireAfter > longUnused, "registration-kept-long", "Registration.ExpireAfter",
			"Anyone may register applications, and Cleanup keeps unused ones for more than a year, so the store grows. Leave ExpireAfter at zero, or set Allow.")
		r.add(c.Scopes == nil, "registration-scopes-all", "Registration.Scopes",
			"Anyone may register an application that asks users for every scope, and users agree to too much. List in Scopes what such applications may ask for, or set Allow.")
	}
	if d := r.cfg.ClientIDDocuments; d != nil {
		r.add(d.Allow == nil && d.Scopes == nil, "documents-scopes-all", "ClientIDDocuments.Scopes",
			"Any application with a document may ask users for every scope, and users agree to too much. List in Scopes what such applications may ask for, or set Allow.")
	}
	if r.cfg.ClientIDDocuments != nil || r.cfg.Keys != nil && r.registers() {
		r.add(r.cfg.Transport != nil, "documents-transport", "Transport",
			"Your Transport fetches documents and key sets from URLs that strangers choose, without the built-in check of addresses, so they can send requests into your network (SSRF). Leave Transport nil, or make sure that your proxy blocks internal addresses.")
	}
}

func (r *review) checkResources() {
	for i, c := range r.cfg.Resources {
		r.add(strings.HasPrefix(c.URL, "http:"), "resource-not-https", fmt.Sprintf("Resources[%d].URL", i),
			"The resource "+strconv.Quote(c.URL)+" is an http URL, so tokens for it don't work in production. Set it to the https URL that its clients use.")
		r.add(r.offer.closes(r.resources[i].scopes), "resource-closed", fmt.Sprintf("Resources[%d].Scopes", i),
			"Applications that registered themselves or are known by a document may not ask for any scope of the resource "+strconv.Quote(c.URL)+", so MCP clients that discover it can't use it. To allow them, add one of its scopes to Registration.Scopes or ClientIDDocuments.Scopes.")
	}
}

// limitMissing returns the advice to set Limit. It names the features of this
// provider that need a limit most.
func (r *review) limitMissing() string {
	text := "Latchkey doesn't limit how often anyone may call the token endpoint and similar ones, and each call costs store queries. "
	if r.registers() && r.cfg.Registration.Allow == nil {
		text += "Anyone can fill the store by registering applications. "
	}
	if r.cfg.DeviceAuthorization != nil {
		text += "Each process counts wrong device codes separately. "
	}
	if r.cfg.ClientIDDocuments != nil {
		text += "Users can make this server fetch documents. "
	}
	return text + "Set Limit, for example to LimitByAddress(600), even if your proxy has a rate limit: the proxy doesn't know about clients."
}

// isOwnMachine reports whether the URL is a loopback address or localhost.
func isOwnMachine(u *url.URL) bool {
	return weburl.IsLoopback(u.Hostname()) || strings.HasSuffix(u.Hostname(), ".localhost")
}
