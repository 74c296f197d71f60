package pages_test

import (
	"html/template"
	"log"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/pages"
)

// Brand the built-in pages with logos, a color, corners, and a font. Set the
// value as Config.Pages of package provider.
func ExampleConfig_brand() {
	brand := pages.Config{
		Name:        "Acme",
		LogoURL:     "https://acme.example.com/logo.svg",
		LogoDarkURL: "https://acme.example.com/logo-dark.svg",
		IconURL:     "https://acme.example.com/favicon.svg",
		AccentColor: "#d97706",
		Style:       "--radius: 4px; --font: Inter, 'Helvetica Neue', sans-serif",
	}
	if _, err := pages.New(brand, "https://acme.example.com"); err != nil { // provider.New does that
		log.Fatal(err)
	}
}

// Render the consent page in a custom layout. With Scopes as checkboxes instead
// of hidden fields, the user can choose.
func ExampleConsent() {
	layout := template.Must(template.New("consent").Parse(`
<h1>{{.Application.Name}} wants access to your account</h1>
{{if not .Application.Reviewed}}<p>We haven't reviewed this application.</p>{{end}}
{{if .OnThisDevice}}<p>It runs on this device. Continue only if you started it.</p>{{end}}
<form method="post" action="{{.FormAction}}">
  {{range .FormFields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}
  {{range .Scopes}}{{if .Required}}<p>{{.Title}} ({{$.Texts.Always}})</p>
  {{else}}<label><input type="checkbox" name="granted" value="{{.Name}}"{{if not .Declined}} checked{{end}}> {{.Title}}</label>{{end}}{{end}}
  <button formmethod="dialog" class="hidden" tabindex="-1" aria-hidden="true"></button>
  <button name="decision" value="deny">{{.Texts.Cancel}}</button>
  <button name="decision" value="allow">{{.Texts.Allow}}</button>
</form>
<p>{{.Texts.SentTo}} <a href="{{.SwitchAccountURL}}">Not {{.User.Label}}?</a></p>`))
	_ = pages.Config{
		Consent: func(w http.ResponseWriter, r *http.Request, page pages.Consent) {
			if err := layout.Execute(w, page); err != nil {
				log.Print(err)
			}
		},
	}
}

// Render the consent page as a single-page app. The page contains the data as
// JSON. The app shows it, and submits a real form, because the answer redirects
// the browser to the application.
func ExampleConsent_json() {
	app := template.Must(template.New("app").Parse(`<!DOCTYPE html>
<title>Acme</title>
<script type="application/json" id="consent">{{.}}</script>
<script type="module" src="/assets/app.js"></script>`))
	_ = pages.Config{
		Consent: func(w http.ResponseWriter, r *http.Request, page pages.Consent) {
			if err := app.Execute(w, page); err != nil {
				log.Print(err)
			}
		},
	}
}
