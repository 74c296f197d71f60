// Package diagnose checks a deployment of a provider from outside, as clients
// and browsers see it, and names what is wrong with it. The command
// provider/doctor prints its findings, and providertest runs it in a host's
// tests.
//
// It needs no secret and changes nothing. It reads documents and pages, and
// sends preflights. To the other endpoints it sends requests that they must
// refuse, with a client, a code, and tokens that don't exist.
package diagnose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Options configures [Run].
type Options struct {
	// Issuer is the URL that clients use: Config.Issuer, if that is right. The
	// URL of one of Config.Resources, which agents use, also works: its
	// document names the issuer.
	Issuer string

	// ClientID is an application that should be able to sign in. If empty, no
	// application is checked.
	ClientID string

	// Transport sends the requests. The default is the system's network.
	Transport http.RoundTripper

	// Alone skips other hosts than the issuer's, because Transport can't reach
	// them.
	Alone bool

	// Timeout is how long an answer may take. The default is 15 seconds.
	Timeout time.Duration

	// Now is the clock that the deployment's is compared with. The default is
	// time.Now.
	Now func() time.Time
}

// A Finding is one problem of a deployment.
type Finding struct {
	// Code names the kind. It stays the same from version to version.
	Code string `json:"code"`

	Problem string `json:"problem"` // what is wrong, in one line
	Remedy  string `json:"remedy"`  // what to change

	// Evidence is a request and what came back, shortened.
	Evidence string `json:"evidence"`
}

// String returns the finding in four lines or so, the problem first.
func (f Finding) String() string {
	text := f.Problem + " [" + f.Code + "]\n  Change: " + f.Remedy
	if f.Evidence != "" {
		text += "\n  Seen: " + strings.ReplaceAll(f.Evidence, "\n", "\n    ")
	}
	return text
}

// checks look at one side of a deployment each, and causes come before their
// effects. After a finding that hides the rest, the remaining checks are
// skipped.
var checks = []func(*doctor){
	(*doctor).checkMetadata,
	(*doctor).checkIssuer,
	(*doctor).checkInstances,
	(*doctor).checkPlainHTTP,
	(*doctor).checkEndpoints,
	(*doctor).checkAuthorization,
	(*doctor).checkCORS,
	(*doctor).checkAuthorize,
	(*doctor).checkSignIn,
	(*doctor).checkCookies,
	(*doctor).checkCaching,
	(*doctor).checkClock,
	(*doctor).checkKeys,
	(*doctor).checkResources,
	(*doctor).checkApplication,
}

// ErrUsage means that the Options are invalid.
var ErrUsage = errors.New("diagnose: bad options")

// usage is an error with only its text, which is about the options.
type usage string

func (e usage) Error() string { return string(e) }

func (e usage) Is(target error) bool { return target == ErrUsage }

func badUsage(format string, args ...any) error { return usage(fmt.Sprintf(format, args...)) }

// Run checks the deployment and returns what it found, causes first. The error
// is [ErrUsage] or the context's.
func Run(ctx context.Context, o Options) ([]Finding, error) {
	d, err := newDoctor(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, check := range checks {
		check(d)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if d.hidden {
			break
		}
	}
	return d.findings(), nil
}

// A doctor is one check of one deployment.
type doctor struct {
	ctx      context.Context
	client   *http.Client
	now      func() time.Time
	issuer   *url.URL // as it was given
	clientID string
	alone    bool

	at      metadata
	foreign map[string]bool // URLs where something other than the provider answers
	hidden  bool            // a finding hides the rest
	found   map[string]*discovery

	metadataAnswer, page *exchange   // the document, and a page of the provider
	refusals             []*exchange // the answers of the endpoints for programs
	visits               []*exchange // the answers that a browser got on its way to the sign-in page
}

// discovery is a finding with the places where it was found.
type discovery struct {
	Finding
	places []string
}

func newDoctor(ctx context.Context, o Options) (*doctor, error) {
	text := strings.TrimSpace(o.Issuer)
	if text != "" && !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case text == "":
		return nil, badUsage("the URL is missing: give the issuer, such as https://app.example.com")
	case err != nil || u.Host == "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, badUsage("%q is not a URL to look at: give the issuer, such as https://app.example.com", o.Issuer)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, badUsage("%q has more than a scheme, a host and a path: give the issuer, such as https://app.example.com", o.Issuer)
	case strings.Contains(u.Path, "/.well-known/"):
		return nil, badUsage("%q is the address of a document: give the issuer, such as https://app.example.com", o.Issuer)
	case strings.ContainsAny(o.ClientID, " \t\r\n"):
		return nil, badUsage("the client_id %q has a space in it: copy it from the application", o.ClientID)
	}
	d := &doctor{
		ctx: ctx, issuer: u, clientID: o.ClientID, alone: o.Alone, now: o.Now, foreign: map[string]bool{}, found: map[string]*discovery{},
		client: &http.Client{
			Transport: o.Transport, Timeout: cmp.Or(o.Timeout, patience),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d, nil
}

// report records a finding. If it is found more than once, the first exchange
// is the evidence. detail fills the placeholder in the kind's text.
func (d *doctor) report(code string, x *exchange, detail string) {
	place := x.place()
	if known := d.found[code]; known != nil {
		if !slices.Contains(known.places, place) {
			known.places = append(known.places, place)
		}
		return
	}
	detail = printable(shorten(detail, 200))
	k := kindOf(code)
	if k.hides {
		d.hidden = true
	}
	d.found[code] = &discovery{
		Finding: Finding{Code: code, Problem: k.say(k.problem, d, detail), Remedy: k.say(k.remedy, d, detail), Evidence: x.evidence(k.shows...)},
		places:  []string{place},
	}
}

// has reports whether one of these was found.
func (d *doctor) has(codes ...string) bool {
	return slices.ContainsFunc(codes, func(code string) bool { return d.found[code] != nil })
}

// findings returns what was found, in the order of the kinds.
func (d *doctor) findings() []Finding {
	var all []Finding
	for _, k := range kinds {
		if found := d.found[k.code]; found != nil {
			f := found.Finding
			f.Problem = strings.ReplaceAll(f.Problem, "{places}", strings.Join(found.places, ", "))
			f.Remedy = strings.ReplaceAll(f.Remedy, "{places}", strings.Join(found.places, ", "))
			all = append(all, f)
		}
	}
	return all
}

// Kinds returns every kind of finding, causes first, for the documentation.
// Parts that vary are in capitals.
func Kinds() []Finding {
	replace := strings.NewReplacer("{places}", "PATH", "{issuer}", "ISSUER", "{host}", "HOST", "{detail}", "…")
	var all []Finding
	for _, k := range kinds {
		all = append(all, Finding{Code: k.code, Problem: replace.Replace(k.problem), Remedy: replace.Replace(k.remedy)})
	}
	return all
}
