package provider

import (
	"errors"
	"net/http"
)

// limit asks Config.Limit and returns the refusal if there is one.
func (c *call) limit(clientID string) *Error { return c.Provider.limit(c.r, c.endpoint, clientID) }

func (p *Provider) limit(r *http.Request, endpoint, clientID string) *Error {
	if p.cfg.Limit == nil {
		return nil
	}
	ip := p.cfg.ClientIP(r)
	wait := p.cfg.Limit(r.Context(), LimitRequest{Endpoint: endpoint, ClientID: clientID, IP: ip})
	if wait <= 0 {
		return nil
	}
	e := &Error{
		Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
		Err:         errors.New("over the limit of Config.Limit; if the ip is your proxy's, set Config.ClientIP, or all clients share one limit"),
		Description: "Too many requests. Wait as long as Retry-After says.",
	}
	return e.with("client_id", clientID).with("ip", ip.String())
}
