package provider

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/latchkey-go/latchkey/store"
)

// An endpoint configures one handler of the provider.
type endpoint struct {
	name    string   // in logs, events, and Config.Limit
	methods []string // the methods that it serves
	open    bool     // callable by programs in browsers, from any origin and without cookies

	// serve answers the request, or returns why it is refused. Then refuse
	// writes the answer.
	serve  func(*call) *Error
	refuse func(*call, *Error)
}

// A call is one request to an endpoint: who sent it, and its result. The
// functions that serve it return a refusal or nil. [Provider.handler] does the
// rest in one place: the answer, the log line, and the event.
type call struct {
	*Provider
	w        http.ResponseWriter
	r        *http.Request
	endpoint string

	// application is the ID of the application that sent the request: the
	// client that authenticated, the one whose token was presented, or the one
	// that sent a visitor. It is empty if unknown.
	application string

	// claimed is the ID of the application that a client claims to be but
	// failed to prove. It is only for the log.
	claimed string

	// proved reports whether the request has a secret, key, or token of the
	// application, and doesn't just name it.
	proved bool

	// sender is the application that sent a visitor, or nil if unknown.
	sender *store.Application

	start     time.Time // by the monotonic clock; zero if Config.Events is nil
	outcome   string    // an error code, or outcomeOK
	reference string    // of the log line, if shown to the visitor
}

// Outcomes of a request other than error codes.
const (
	outcomeOK          = "ok"
	outcomeRateLimited = "rate_limited"
	outcomeClientGone  = "client_gone"
)

func (c *call) context() context.Context { return c.r.Context() }

func (p *Provider) newCall(endpoint string, w http.ResponseWriter, r *http.Request) call {
	c := call{Provider: p, w: w, r: r, endpoint: endpoint, outcome: outcomeOK}
	if p.cfg.Events != nil {
		c.start = time.Now()
	}
	return c
}

// handler returns the handler of an endpoint.
func (p *Provider) handler(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.newCall(e.name, w, r)
		if p.cfg.Events == nil {
			c.run(&e)
			return
		}
		panicked := true
		defer func() {
			if panicked { // in a callback of the host
				c.outcome = codeServerError
			}
			c.report()
		}()
		c.run(&e)
		panicked = false
	})
}

// Endpoint returns a handler for a custom endpoint that is monitored like the
// built-in ones: Config.Events receives an [EventRequest] for each request, and
// the log gets a line for each refused one. Both use name.
//
// serve answers the request, or writes nothing and returns an error. An error
// that is not an [*Error] counts as one with status 500. refuse then writes the
// answer. Its reference is 32 hexadecimal digits that are also in the log line;
// show it to the visitor. Refusals with status 500 and above are logged as
// errors.
func (p *Provider) Endpoint(name string, serve func(w http.ResponseWriter, r *http.Request) error,
	refuse func(w http.ResponseWriter, r *http.Request, e *Error, reference string)) http.Handler {
	return p.handler(endpoint{
		name: name,
		serve: func(c *call) *Error {
			if err := serve(c.w, c.r); err != nil {
				return asError(err)
			}
			return nil
		},
		refuse: func(c *call, e *Error) {
			c.reference = strings.ReplaceAll(uuid.NewString(), "-", "")
			refuse(c.w, c.r, e, c.reference)
		},
	})
}

// run serves a request and, if it refuses the request, returns why.
func (c *call) run(e *endpoint) {
	answered, refusal := c.begin(e)
	if refusal == nil && !answered {
		refusal = e.serve(c)
	}
	if refusal != nil {
		defer c.refused(refusal)
		e.refuse(c, refusal)
	}
}

// begin does what every endpoint starts with: it allows other origins where the
// endpoint is open, answers preflight requests, and refuses methods that the
// endpoint doesn't serve. It reports whether the request is answered.
func (c *call) begin(e *endpoint) (answered bool, _ *Error) {
	h := c.w.Header()
	if e.open {
		openHeaders.set(h)
	}
	if e.serves(c.r.Method) {
		return false, nil
	}
	allow := e.allow()
	h.Set("Allow", allow)
	if !e.open || c.r.Method != http.MethodOptions {
		return false, &Error{Code: codeInvalidRequest, Status: http.StatusMethodNotAllowed,
			Description: "The method is not allowed here. Use " + allow + "."}
	}
	h.Set("Access-Control-Allow-Methods", allow)
	// The asterisk covers every header except Authorization, because there are
	// no cookies here. The others are for browsers that don't know the
	// asterisk.
	h.Set("Access-Control-Allow-Headers", "*, Authorization, Content-Type, MCP-Protocol-Version")
	h.Set("Access-Control-Max-Age", "86400")
	c.w.WriteHeader(http.StatusNoContent)
	return true, nil
}

// serves reports whether the endpoint serves the method. One without a list
// serves all.
func (e *endpoint) serves(method string) bool {
	return e.methods == nil || slices.Contains(e.methods, method)
}

func (e *endpoint) allow() string {
	allow := strings.Join(e.methods, ", ")
	if e.open {
		allow += ", OPTIONS"
	}
	return allow
}

// refused records how the request ended, and writes one log line for each
// refused request.
func (c *call) refused(e *Error) {
	c.outcome = e.Code
	switch {
	case c.clientGone(e):
		c.outcome = outcomeClientGone
	case e.Status == http.StatusTooManyRequests:
		c.outcome = outcomeRateLimited
	}
	if e.Code != codeAuthorizationPending { // Polling devices would flood the log.
		c.log(e)
		if c.outcome != outcomeClientGone {
			c.failures.note(cmp.Or(c.application, c.claimed), c.endpoint, c.proved, e, c.now())
		}
	}
}

// clientGone reports whether a request failed because the client hung up, which
// cancels its calls of the store and the host's functions. A timeout isn't
// that: writes continue without the client.
func (c *call) clientGone(e *Error) bool {
	return e.Status >= http.StatusInternalServerError && c.context().Err() != nil && !errors.Is(e, context.DeadlineExceeded)
}

func (c *call) log(e *Error) {
	attrs := []any{"endpoint", c.endpoint, "error", e.Code, "description", e.Description}
	if id := cmp.Or(c.application, c.claimed); id != "" {
		attrs = append(attrs, "application", id)
	}
	attrs = append(attrs, e.noted...)
	if c.reference != "" {
		attrs = append(attrs, "reference", c.reference)
	}
	if e.Err != nil {
		attrs = append(attrs, "cause", e.Err.Error())
	}
	switch {
	case c.clientGone(e):
		c.cfg.Logger.InfoContext(c.context(), "latchkey: client went away", attrs...)
	case e.Status >= http.StatusInternalServerError:
		c.cfg.Logger.ErrorContext(c.context(), "latchkey: request failed", attrs...)
	default:
		c.cfg.Logger.InfoContext(c.context(), "latchkey: request refused", attrs...)
	}
}

// event reports to Config.Events what happened in the request.
func (c *call) event(e Event) {
	e.Request = c.r
	c.emit(c.context(), e)
}

// report emits the EventRequest, if Config.Events is set.
func (c *call) report() {
	if c.cfg.Events != nil {
		c.event(Event{Kind: EventRequest, ApplicationID: c.application, Endpoint: c.endpoint, Outcome: c.outcome, Duration: time.Since(c.start)})
	}
}

// writeError answers a program with an error. If client authentication failed,
// it sends a challenge only if the client used the header (RFC 6749 section
// 5.2), because a browser would ask its user for a password.
func (c *call) writeError(e *Error) {
	h := c.w.Header()
	if _, basic := basicCredentials(c.r.Header); basic && e.Code == codeInvalidClient {
		h.Set("WWW-Authenticate", `Basic realm="`+c.cfg.Issuer+`"`)
	}
	e.setRetryAfter(h)
	writeJSON(c.w, e.Status, errorResponse{e.Code, e.Description})
}

// documentHandler serves a JSON document that never changes.
func (p *Provider) documentHandler(name string, document []byte) http.Handler {
	serve := func(c *call) *Error {
		setHeaders(c.w.Header(), "Content-Type", "application/json", "Cache-Control", "public, max-age=300", "X-Content-Type-Options", "nosniff")
		c.w.Write(document)
		return nil
	}
	return p.handler(endpoint{name: name, methods: []string{http.MethodGet, http.MethodHead}, open: true, serve: serve, refuse: (*call).writeError})
}
