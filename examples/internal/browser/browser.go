// Package browser is a minimal web browser for tests and demos. It keeps cookies,
// follows redirects, and fills in and submits forms with their hidden fields. It
// runs no scripts.
package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Browser is the browser of one user.
type Browser struct{ client *http.Client }

// New returns a browser without cookies. It sends requests with transport. If
// transport is nil, it uses http.DefaultTransport.
func New(transport http.RoundTripper) *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // Without options, New doesn't fail.
	}
	return &Browser{&http.Client{
		Transport: transport,
		Jar:       jar,
		Timeout:   10 * time.Second,
		// Follow follows redirects one at a time.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Page is a response.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
}

// Open opens an address.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	return b.do(ctx, http.MethodGet, address, nil, nil)
}

// Follow follows the redirect p.
func (b *Browser) Follow(ctx context.Context, p *Page) (*Page, error) {
	to := p.Leads()
	if to == "" {
		return nil, fmt.Errorf("%s is not a redirect", p.Describe())
	}
	return b.Open(ctx, to)
}

// Press finds the form with the given button, fills in the fields in typed, by
// name, and presses the button.
func (b *Browser) Press(ctx context.Context, p *Page, button string, typed map[string]string) (*Page, error) {
	form, err := p.form(button)
	if err != nil {
		return nil, err
	}
	for name, value := range typed {
		if !form.fields.Has(name) {
			return nil, fmt.Errorf("the form of %q has no field %q", button, name)
		}
		form.fields.Set(name, value)
	}
	if form.method != http.MethodPost {
		form.action.RawQuery = form.fields.Encode()
		return b.Open(ctx, form.action.String())
	}
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"},
		"Origin":       {p.URL.Scheme + "://" + p.URL.Host}, // Browsers send it with every POST.
	}
	return b.do(ctx, http.MethodPost, form.action.String(), header, strings.NewReader(form.fields.Encode()))
}

func (b *Browser) do(ctx context.Context, method, address string, header http.Header, body io.Reader) (*Page, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	answer, err := b.client.Do(request)
	if err != nil {
		// A url.Error contains the whole URL, which can have secrets.
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, fmt.Errorf("%s %s://%s%s: %w", method, request.URL.Scheme, request.URL.Host, request.URL.Path, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return &Page{request.URL, answer.StatusCode, answer.Header, content}, err
}

// Leads returns the absolute address of a redirect, or "" if p is not a redirect
// that a browser follows with GET.
func (p *Page) Leads() string {
	if p.Status != http.StatusFound && p.Status != http.StatusSeeOther {
		return ""
	}
	to, err := p.URL.Parse(p.Header.Get("Location"))
	if err != nil {
		return ""
	}
	return to.String()
}

// Text returns the visible text of the page, with single spaces.
func (p *Page) Text() string { return text(p.document()) }

// Describe returns the status of p and its title, if it has one.
func (p *Page) Describe() string {
	for n := range p.document().Descendants() {
		if n.DataAtom == atom.Title {
			return fmt.Sprintf("%d %q", p.Status, text(n))
		}
	}
	return fmt.Sprintf("%d %s", p.Status, http.StatusText(p.Status))
}

// HasButton reports whether the page has a form with the button.
func (p *Page) HasButton(button string) bool {
	_, err := p.form(button)
	return err == nil
}

func (p *Page) document() *html.Node {
	n, err := html.Parse(bytes.NewReader(p.Body))
	if err != nil {
		panic(err) // Any text parses as HTML, and reading from memory doesn't fail.
	}
	return n
}

type form struct {
	method string
	action *url.URL
	fields url.Values
}

// form returns the form that contains the button. It supports input and button
// elements, which is all that the pages here use.
func (p *Page) form(button string) (*form, error) {
	var buttons []string
	for n := range p.document().Descendants() {
		if n.DataAtom != atom.Form {
			continue
		}
		action, err := p.URL.Parse(attribute(n, "action"))
		if err != nil {
			return nil, err
		}
		f, pressed := &form{strings.ToUpper(attribute(n, "method")), action, url.Values{}}, false
		for field := range n.Descendants() {
			name := attribute(field, "name")
			switch {
			case field.DataAtom == atom.Button:
				buttons = append(buttons, text(field))
				if text(field) != button || pressed {
					continue
				}
				pressed = true
			case field.DataAtom != atom.Input || hasAttribute(field, "disabled"):
				continue
			case slices.Contains([]string{"checkbox", "radio"}, attribute(field, "type")) && !hasAttribute(field, "checked"):
				continue
			}
			if name != "" {
				f.fields.Add(name, attribute(field, "value"))
			}
		}
		if pressed {
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s has no button %q, only %q", p.Describe(), button, buttons)
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttribute(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func text(n *html.Node) string {
	var words []string
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			words = append(words, strings.Fields(d.Data)...)
		}
	}
	return strings.Join(words, " ")
}
