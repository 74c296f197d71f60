package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// credentials are the content of a client's file.
type credentials struct {
	access, refresh string
	expires         time.Time // of the access token
}

// signIn gets new credentials with the help of the user.
func (s *Server) signIn() (c credentials, err error) {
	answer, err := s.Do(s.AuthorizeRequest(true))
	if err != nil {
		return c, err
	}
	code, err := answer.Code()
	if err != nil {
		return c, err
	}
	if answer, err = s.Do(s.CodeRequest(code, true)); err != nil {
		return c, err
	}
	return read(answer)
}

// refresh presents a refresh token. Refused means invalid_grant.
func (s *Server) refresh(token string) (c credentials, refused bool, err error) {
	answer, err := s.Do(s.RefreshRequest(token))
	if err != nil {
		return c, false, err
	}
	var body struct{ Error string }
	if json.Unmarshal(answer.Body, &body) == nil && body.Error == "invalid_grant" {
		return c, true, nil
	}
	c, err = read(answer)
	return c, false, err
}

// takes reports whether the server accepts an access token.
func (s *Server) takes(access string) (bool, error) {
	answer, err := s.Do(benchtest.BearerRequest(s.UserInfo, access))
	return answer.Status == http.StatusOK, err
}

func read(a benchtest.Answer) (c credentials, err error) {
	if c.access, c.refresh, err = a.Tokens(); err != nil {
		return c, err
	}
	var more struct {
		Seconds int `json:"expires_in"`
	}
	if err := json.Unmarshal(a.Body, &more); err != nil || more.Seconds <= 0 {
		return c, fmt.Errorf("no expiry in the answer: %s", a.Body)
	}
	c.expires = time.Now().Add(time.Duration(more.Seconds) * time.Second)
	return c, nil
}
