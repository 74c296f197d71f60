package portal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
)

// A link starts a sign-in to an application that has no code yet.
type link struct {
	RedirectURI string
	URL         string
}

// showTry shows links that start a sign-in with PKCE (RFC 7636). The code goes
// to the application's redirect URI. So nothing is registered for the trial,
// and no secret gets here: the developer pastes the resulting address into the
// form, and gets the command that redeems the code.
func (v *visit) showTry(app provider.Application) error {
	return v.tryPage(http.StatusOK, app, randomText(), view{})
}

func (v *visit) tryPage(status int, app provider.Application, verifier string, page view) error {
	sum := sha256.Sum256([]byte(verifier))
	authorize := url.Values{
		"response_type": {"code"}, "client_id": {app.ClientID}, "scope": {app.Scopes.String()}, "state": {randomText()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for _, uri := range app.RedirectURIs {
		authorize.Set("redirect_uri", uri)
		page.Links = append(page.Links, link{uri, v.p.Endpoints().Authorize + "?" + authorize.Encode()})
	}
	page.Title, page.Template, page.App, page.Verifier = "Try "+app.Name, "try", app, verifier
	page.API = "curl -H " + quoted("Authorization: Bearer ACCESS_TOKEN") + " " + quoted(v.api)
	return v.render(status, page)
}

var (
	codeText     = regexp.MustCompile(`^[0-9A-Za-z_-]{1,512}$`)
	verifierText = regexp.MustCompile(`^[0-9A-Za-z_-]{43}$`)
)

// exchange shows the command that gets a token for the code in an address.
func (v *visit) exchange(app provider.Application) error {
	verifier, answer := v.r.PostForm.Get("verifier"), strings.TrimSpace(v.r.PostForm.Get("answer"))
	page := view{Answer: answer}
	redirectURI, code, wrong := readAnswer(app, answer)
	if !verifierText.MatchString(verifier) {
		verifier, wrong = randomText(), "The page is too old. Start again with a link above."
	}
	if wrong != "" {
		page.Wrong = []string{wrong}
		return v.tryPage(http.StatusUnprocessableEntity, app, verifier, page)
	}
	command := []string{"curl " + quoted(v.p.Endpoints().Token), "-d grant_type=authorization_code", "-d code=" + code,
		"--data-urlencode " + quoted("redirect_uri="+redirectURI), "-d code_verifier=" + verifier, "--data-urlencode " + quoted("client_id="+app.ClientID)}
	if !app.Public {
		command = append(command, "-d client_secret=YOUR_SECRET")
	}
	page.Token = strings.Join(command, " \\\n  ")
	return v.tryPage(http.StatusOK, app, verifier, page)
}

// readAnswer reads the address where the developer has arrived, or returns what
// is wrong with it.
func readAnswer(app provider.Application, answer string) (redirectURI, code, wrong string) {
	for _, uri := range app.RedirectURIs {
		if strings.HasPrefix(answer, uri) && len(uri) > len(redirectURI) {
			redirectURI = uri
		}
	}
	u, err := url.Parse(answer)
	switch {
	case redirectURI == "" || err != nil:
		return "", "", "This address does not begin with a redirect URI of the application. Paste the whole address of the page that you were sent to."
	case u.Query().Get("error") != "":
		return "", "", "The sign-in was refused: " + u.Query().Get("error") + ". " + u.Query().Get("error_description")
	case !codeText.MatchString(u.Query().Get("code")):
		return "", "", "There is no code in this address. Paste the whole address of the page that you were sent to."
	}
	return redirectURI, u.Query().Get("code"), ""
}

// quoted returns a text as one word of a POSIX shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// randomText returns 256 random bits in the format of a code_verifier.
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // It never fails; it would end the program.
	return base64.RawURLEncoding.EncodeToString(b[:])
}
