package pages

import "time"

// Host is the host, as its pages show it.
type Host struct {
	Name        string `json:"name"`          // Config.Name, or what stands for it
	URL         string `json:"url"`           // the provider's Issuer
	LogoURL     string `json:"logo_url"`      // Config.LogoURL; may be empty
	LogoDarkURL string `json:"logo_dark_url"` // Config.LogoDarkURL; may be empty
	Wordmark    bool   `json:"wordmark"`      // Config.Wordmark
	IconURL     string `json:"icon_url"`      // Config.IconURL; may be empty
	AccentColor string `json:"accent_color"`  // Config.AccentColor; may be empty
}

// Application is an application, as pages show it.
type Application struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	LogoURL string `json:"logo_url"` // may be empty

	// ClientURI is its home page, and TermsURI and PolicyURI are its terms of
	// service and privacy policy (RFC 7591 section 2). Each may be empty. They
	// may be links only if the application is Reviewed.
	ClientURI string `json:"client_uri"`
	TermsURI  string `json:"tos_uri"`
	PolicyURI string `json:"policy_uri"`

	// Domain is a host that the application controls: the one of its document
	// if it is known by one, or else the one where its users are sent. For one
	// that is Reviewed it is the host of its ClientURI, if it has one. Empty: it
	// is an app on the visitor's device.
	Domain string `json:"domain"`

	// Reviewed is set if the host vouches for the application.
	Reviewed bool `json:"reviewed"`
}

// User is the signed-in user, as pages show them.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Picture  string `json:"picture"` // its URL, as the host has it; may be empty

	// Label is the first of name, username, email and id that there is.
	Label string `json:"label"`
}

// Scope is a scope that an application asks for, or has.
type Scope struct {
	Name        string `json:"name"`
	Title       string `json:"title"`       // in the visitor's language
	Description string `json:"description"` // the same; may be empty
	Group       string `json:"group"`       // the heading it stands under, in the visitor's language; may be empty
	Access      string `json:"access"`      // "read", "write" or "delete"; empty: not said
	Required    bool   `json:"required"`    // cannot be unticked
	Declined    bool   `json:"declined"`    // was left unticked before, so its box starts unticked
}

// Workspace is a workspace of the user, as pages show it.
type Workspace struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	PictureURL string `json:"picture_url"` // may be empty
	Chosen     bool   `json:"chosen"`      // to be shown as the one that is chosen
}

// WorkspaceChoice is what the user chooses for an application that acts for
// workspaces. The form has a field "workspace" with the ID of one of them,
// usually one radio button each, of which the one that is Chosen is selected at
// first. Where there is only one, and the choice is not Optional, the page says
// which it is.
type WorkspaceChoice struct {
	Workspaces []Workspace `json:"workspaces"`

	// Optional is set if the user may choose none of them, by an empty field: then
	// the application acts for the user alone. That is selected if none is Chosen.
	Optional bool `json:"optional"`

	// Missing is set if the user has allowed it without a choice. Texts.WorkspaceMissing
	// says so.
	Missing bool `json:"missing"`
}

// pictures returns the addresses of all pictures, besides those that are given.
func (c *WorkspaceChoice) pictures(images ...string) []string {
	if c != nil {
		for _, w := range c.Workspaces {
			images = append(images, w.PictureURL)
		}
	}
	return images
}

// only is the name of the one workspace that there is, or "".
func (c *WorkspaceChoice) only() string {
	if c == nil || len(c.Workspaces) != 1 {
		return ""
	}
	return c.Workspaces[0].Name
}

// Field is a hidden field of a form.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Consent is what the consent page shows and sends, for Config.Consent to show
// it in the host's own way: by a template, or as JSON inside the page of a
// program in the browser.
//
// The page has a form that is posted to FormAction (RFC 6749 section 3.1). It
// consists of FormFields as hidden fields; of a field "granted" for each scope
// that is allowed, with the scope's name as its value, usually a checkbox that
// is ticked at first unless the scope is Declined; of what [WorkspaceChoice] says,
// if there is one; and of two buttons "decision" with the values "allow" and
// "deny". Scopes that are Required are granted with or without a field. The
// form is to be posted by the browser itself and not by fetch, because the
// answer sends the browser to the application. Neither the key Enter in a box
// nor a click that was meant for another window should decide: the built-in page
// has a first button that sends nothing, and a shield over the others until the
// mouse has rested there.
type Consent struct {
	Host  Host  `json:"host"`
	Texts Texts `json:"texts"` // in the visitor's language, with the names filled in

	Application Application `json:"application"`
	User        User        `json:"user"`
	Scopes      []Scope     `json:"scopes"` // empty: only who the user is

	// Resource is the name of the one of the provider's Resources that the
	// access is for. Empty: none, but the host's API as a whole.
	Resource string `json:"resource"`

	// Workspace is what the user has to choose. Nil: nothing.
	Workspace *WorkspaceChoice `json:"workspace"`

	// RedirectHost is the host where the visitor is sent afterwards. Empty: it is
	// an app on the visitor's device. Texts.SentTo says either.
	RedirectHost string `json:"redirect_host"`

	// RedirectURI is the whole address, where there is a RedirectHost.
	RedirectURI string `json:"redirect_uri"`

	// OnThisDevice is set if the answer goes to a program on the visitor's
	// device, which anything there can pretend to be (RFC 8252 section 8.6). The
	// page must warn of it, and of an Application that is not Reviewed. It is not
	// set for a reviewed application on the machine that the host itself is
	// developed on.
	OnThisDevice bool `json:"on_this_device"`

	// SwitchAccountURL lets the visitor sign in as somebody else and come back.
	SwitchAccountURL string `json:"switch_account_url"`

	// ConnectionsURL is the page of connected applications, where the visitor
	// can take back what they allow here.
	ConnectionsURL string `json:"connections_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// Reason says why a visitor sees the error page.
type Reason string

// The reasons for an error page.
const (
	// ReasonBadLink: the application sent the visitor with a request that
	// cannot be answered by a redirect.
	ReasonBadLink Reason = "bad_link"
	// ReasonUnknownApplication: the application that sent the visitor is not
	// registered.
	ReasonUnknownApplication Reason = "unknown_application"
	// ReasonStaleForm: the form that was sent is forged, altered, too old, was
	// answered before, or is another user's.
	ReasonStaleForm Reason = "stale_form"
	// ReasonNoCookies: a form came without the cookie that its page set.
	ReasonNoCookies Reason = "no_cookies"
	// ReasonNotSignedIn: the visitor was sent to sign in and came back without
	// being signed in. Sending them again could go on for ever.
	ReasonNotSignedIn Reason = "not_signed_in"
	// ReasonNoAccount: the host does not know the signed-in user.
	ReasonNoAccount Reason = "no_account"
	// ReasonNoWorkspace: the application acts for workspaces, and the user has none,
	// or not the one that it asked for. RetryURL is as for ReasonNoAccount.
	ReasonNoWorkspace Reason = "no_workspace"
	// ReasonTooMany: there were too many requests, or too many wrong codes of
	// devices.
	ReasonTooMany Reason = "too_many"
	// ReasonUnavailable: the store or the host does not answer.
	ReasonUnavailable Reason = "unavailable"
)

// Error is what the error page shows, for Config.Error to show it in the host's
// own way.
type Error struct {
	Host   Host   `json:"host"`
	Texts  Texts  `json:"texts"` // in the visitor's language, with the names filled in
	Status int    `json:"status"`
	Reason Reason `json:"reason"`

	// Title, Happened and Advice are those of Texts for the Reason.
	Title    string `json:"title"`
	Happened string `json:"happened"`
	Advice   string `json:"advice"`

	// Application is the one that sent the visitor. Its Name is empty if it isn't
	// known, or isn't reviewed: a link alone must not put a stranger's words on
	// the host's page.
	Application Application `json:"application"`

	// Code and Detail are for developers: the error code of OAuth 2.0, and in
	// English what was wrong.
	Code   string `json:"code"`
	Detail string `json:"detail"`

	// Reference is also in the log line of the refusal. It has 8 letters and
	// digits and a hyphen, such as "7Q4K-M2XD".
	Reference string `json:"reference"`

	// RetryMinutes says in how many minutes to try again. 0: not known.
	RetryMinutes int `json:"retry_minutes"`

	// RetryURL is where to try again, or, for ReasonNoAccount, to sign in with
	// another account. Empty: there is no such place.
	RetryURL string `json:"retry_url"`
}

// Step says what a [Device] or [SignOut] page is for.
type Step string

// The steps of the device page.
const (
	// StepEnter: the user enters the code that the device shows, or finds it
	// filled in after following a link. The page has a form that is posted to
	// FormAction, with FormFields as hidden fields and a field "user_code".
	StepEnter Step = "enter"
	// StepConfirm: the user compares the code and decides. The page has a form
	// that is posted to FormAction, and consists of what the form of [Consent]
	// does.
	StepConfirm Step = "confirm"
	// StepAllowed: the user has allowed it and goes back to the device.
	StepAllowed Step = "allowed"
	// StepDenied: the user has said no.
	StepDenied Step = "denied"
)

// Device is what the pages show on which a user decides on a device, for
// Config.Device to show them in the host's own way. What does not apply to the
// Step is empty.
type Device struct {
	Host   Host  `json:"host"`
	Texts  Texts `json:"texts"` // in the visitor's language, with the names filled in
	Status int   `json:"status"`
	Step   Step  `json:"step"`

	// User is who is signed in, and SwitchAccountURL lets the visitor sign in
	// as somebody else and come back.
	User             User   `json:"user"`
	SwitchAccountURL string `json:"switch_account_url"`

	// UserCode is the code that the device shows. The page of StepConfirm must
	// show it, so that the user can compare the two (RFC 8628 section 3.3.1).
	// At StepEnter it is what to fill in: the code of the link that the visitor
	// has followed, or what they have entered before. If that was wrong,
	// WrongCode is set.
	UserCode  string `json:"user_code"`
	WrongCode bool   `json:"wrong_code"`

	// Application is the one that asks, and Scopes what it asks for, at
	// StepConfirm. Afterwards Application is the one that has asked. The page
	// must warn of one that is not Reviewed, and in any case of a link or code
	// that somebody has sent: whoever got one has to cancel (RFC 8628 section
	// 5.4).
	Application Application `json:"application"`
	Scopes      []Scope     `json:"scopes"`   // empty: only who the user is
	Resource    string      `json:"resource"` // as on [Consent]

	// Workspace is what the user has to choose at StepConfirm. Nil: nothing.
	Workspace *WorkspaceChoice `json:"workspace"`

	// ConnectionsURL is the page of connected applications.
	ConnectionsURL string `json:"connections_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// The steps of the page to sign out.
const (
	// StepSignOut: the user is asked whether they want to sign out. The page has
	// a form that is posted to FormAction by the browser itself, with FormFields
	// as hidden fields and two buttons "decision" with the values "allow" and
	// "deny".
	StepSignOut Step = "sign_out"
	// StepSignedOut: nobody is signed in.
	StepSignedOut Step = "signed_out"
	// StepStay: the user did not want to sign out, and is still signed in.
	StepStay Step = "stay"
)

// SignOut is what the page shows on which users sign out of the host, for
// Config.SignOut to show it in the host's own way. What does not apply to the
// Step is empty.
type SignOut struct {
	Host  Host  `json:"host"`
	Texts Texts `json:"texts"` // in the visitor's language, with the names filled in
	Step  Step  `json:"step"`

	// User is who is signed in, at StepSignOut.
	User User `json:"user"`

	// Application is the one that has sent the visitor. Its Name is empty if it
	// isn't known.
	Application Application `json:"application"`

	// Leaves is set if the visitor goes on to the application: after the form of
	// StepSignOut, or by following ContinueURL, which StepSignedOut then has.
	// RedirectHost is the host where that is. Empty: it is an app on the
	// visitor's device. Texts.SentTo says either. The page must warn of an
	// Application that is not Reviewed.
	Leaves       bool   `json:"leaves"`
	RedirectHost string `json:"redirect_host"`
	ContinueURL  string `json:"continue_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// Connections is what the page of connected applications shows. Each of its
// forms is posted to FormAction and has FormFields as hidden fields: one with a
// field "application", and "workspace" if there is one, to disconnect; or one
// with a field "sign_in" to end that sign-in.
type Connections struct {
	Host             Host
	Texts            Texts
	User             User
	Connections      []Connection
	MoreURL          string      // the page with those that follow; empty: these are all
	Disconnected     Application // what was just disconnected; its Name is empty: nothing
	DisconnectedFrom string      // the name of the workspace; empty: none
	SignedOut        Application // what the user was just signed out of; the same
	FormAction       string
	FormFields       []Field
}

// Connection is an application that a user has given access, in one workspace if
// it acts for one.
type Connection struct {
	UserID      string
	Application Application
	Workspace   Workspace // its ID is empty: the application acts for the user alone
	Scopes      []Scope   // what its sign-ins have, and what it gets without asking
	Since       time.Time // when access was given first
	LastUsed    time.Time // the last sign-in or refresh of those sign-ins that live
	SignIns     []SignIn  // the newest 20 of them, newest first
	SignInCount int       // how many there are
}

// SignIn is one sign-in of a user to an application, on one device.
type SignIn struct {
	ID       string // of the grant
	Since    time.Time
	LastUsed time.Time // the sign-in, or the last refresh
}

// FormPost is what the page shows that carries an answer to an application.
type FormPost struct {
	Host        Host
	Texts       Texts
	Application Application
	FormAction  string // where the answer goes
	FormFields  []Field
}
