package browser

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

const forms = `<!DOCTYPE html><title>Some  forms</title>
<form action="/one"><input name="x" value="1"><button name="go" value="1">Go</button></form>
<form method="post" action="two?y=2">
<input type="hidden" name="hidden" value="a &amp; b"><input name="text"><input name="off" value="1" disabled>
<input type="checkbox" name="unticked" value="1"><input type="checkbox" name="ticked" value="1" checked><input value="nameless">
<button name="decision" value="no">No</button> <button name="decision" value="yes"> Yes,
<b>please</b></button>
</form>`

func TestBrowser(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		got = r
		switch r.URL.Path {
		case "/forms/":
			http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
			w.Write([]byte(forms))
		case "/away":
			http.Redirect(w, r, "forms/?from=away", http.StatusSeeOther)
		case "/post-again":
			http.Redirect(w, r, "forms/", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	ctx := t.Context()

	b := New(nil)
	page, err := b.Open(ctx, server.URL+"/away")
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, page.Status)
	require.Equal(t, server.URL+"/forms/?from=away", page.Leads())
	page, err = b.Follow(ctx, page)
	require.NoError(t, err)
	require.Empty(t, page.Leads())
	require.Equal(t, `200 "Some forms"`, page.Describe())
	require.Equal(t, "Some forms Go No Yes, please", page.Text())
	require.True(t, page.HasButton("Go"))
	require.False(t, page.HasButton("Stop"))

	_, err = b.Press(ctx, page, "Yes, please", map[string]string{"text": "typed"})
	require.NoError(t, err)
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/forms/two?y=2", got.URL.String())
	require.Equal(t, "decision=yes&hidden=a+%26+b&text=typed&ticked=1", got.PostForm.Encode())
	require.Equal(t, server.URL, got.Header.Get("Origin"))
	cookie, err := got.Cookie("seen")
	require.NoError(t, err)
	require.Equal(t, "yes", cookie.Value)

	_, err = b.Press(ctx, page, "Go", nil)
	require.NoError(t, err)
	require.Equal(t, http.MethodGet, got.Method)
	require.Equal(t, "/one?go=1&x=1", got.URL.String())

	_, err = b.Press(ctx, page, "Stop", nil)
	require.ErrorContains(t, err, `has no button "Stop", only ["Go" "No" "Yes, please"]`)
	_, err = b.Press(ctx, page, "Go", map[string]string{"password": "x"})
	require.ErrorContains(t, err, `no field "password"`)
	_, err = b.Follow(ctx, page)
	require.ErrorContains(t, err, `200 "Some forms" is not a redirect`)
	_, err = b.Open(ctx, "http://127.0.0.1:1/callback?code=secret")
	require.ErrorContains(t, err, "GET http://127.0.0.1:1/callback: ")
	require.NotContains(t, err.Error(), "secret")
	page, err = b.Open(ctx, server.URL+"/post-again")
	require.NoError(t, err)
	require.Empty(t, page.Leads(), "a 307 would post the form once more")
	require.Equal(t, "307 Temporary Redirect", page.Describe())
}
