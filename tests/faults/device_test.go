package faults

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// device is a device that waits for its user.
type device struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
}

func (c *client) askForDevice(host string) (reply, error) {
	return c.post(host, "/oauth/device_authorization")
}

func (c *client) mustAskForDevice(t *testing.T, host string) (d device) {
	t.Helper()
	r, err := c.askForDevice(host)
	mustStatus(t, http.StatusOK, r, err)
	require.NoError(t, json.Unmarshal([]byte(r.body), &d))
	return d
}

// page is the page that a user who enters the code gets, or an error.
func (c *client) page(host, user string, d device) (reply, error) {
	entry, err := c.do("GET", host+"/oauth/device", http.Header{"Test-User": {user}}, nil)
	if err != nil || entry.status != http.StatusOK {
		return entry, err
	}
	sent, err := c.submit(host+"/oauth/device", user, entry, url.Values{"user_code": {d.UserCode}})
	if err != nil || sent.status != http.StatusSeeOther {
		return sent, err
	}
	header := http.Header{"Test-User": {user}}
	for _, cookie := range entry.cookies {
		header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	return c.do("GET", host+sent.header.Get("Location"), header, nil)
}

func (c *client) poll(host string, d device) (reply, error) {
	return c.post(host, "/oauth/token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", d.DeviceCode)
}

// register registers an application without credentials.
func (c *client) register(host string) (reply, error) {
	r, err := http.NewRequest("POST", host+"/oauth/register", strings.NewReader(`{"redirect_uris":["https://agent.example.com/cb"]}`))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.send(r)
}

// deviceRequests are requests to the endpoints for devices, and a registration.
func (s *stopped) deviceRequests(user string, d device) []request {
	host := s.host.url
	return []request{
		{"device authorization", func() (reply, error) { return s.askForDevice(host) }},
		{"device page", func() (reply, error) { return s.page(host, user, d) }},
		{"device code", func() (reply, error) { return s.poll(host, d) }},
		{"register", func() (reply, error) { return s.register(host) }},
	}
}

// allowDevice makes the user allow the device, and the device redeem its code.
func (c *client) allowDevice(t *testing.T, host, user string, d device) pair {
	t.Helper()
	page, err := c.page(host, user, d)
	mustStatus(t, http.StatusOK, page, err)
	r, err := c.decide(host+"/oauth/device", user, page, "allow")
	mustStatus(t, http.StatusSeeOther, r, err)
	r, err = c.poll(host, d)
	return mustPair(t, r, err)
}
