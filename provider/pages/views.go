package pages

import "time"

// Host describes the host on its pages.
type Host struct {
	Name        string `json:"name"`          // Config.Name or its default
	URL         string `json:"url"`           // the provider's Issuer
	LogoURL     string `json:"logo_url"`      // Config.LogoURL; may be empty
	LogoDarkURL string `json:"logo_dark_url"` // Config.LogoDarkURL; may be empty
	Wordmark    bool   `json:"wordmark"`      // Config.Wordmark
	IconURL     string `json:"icon_url"`      // Config.IconURL; may be empty
	AccentColor string `json:"accent_color"`  // Config.AccentColor; may be empty
}

// Application describes an application on the pages.
type Application struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	LogoURL string `json:"logo_url"` // may be empty

	// ClientURI is its home page, and TermsURI and PolicyURI are its terms of
	// service and privacy policy (RFC 7591 section 2). Each may be empty. Show
	// them as links only if the application is Reviewed.
	ClientURI string `json:"client_uri"`
	TermsURI  string `json:"tos_uri"`
	PolicyURI string `json:"policy_uri"`

	// Domain is a host that the application controls: that of its document, if
	// it is known by one, or else the one where its users are sent. For a
	// Reviewed application with a ClientURI it is the host of that. It is empty
	// for an app on the visitor's device.
	Domain string `json:"domain"`

	// Reviewed reports whether the host vouches for the application.
	Reviewed bool `json:"reviewed"`
}

// User describes the signed-in user on the pages.
type User struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Username string `json:"username"`
	Email    string `json:"email"`
	Picture  string `json:"picture"` // its URL, from Users; may be empty

	// Label is the first of name, username, email, and ID that is set.
	Label string `json:"label"`
}

// Scope describes a scope that an application asks for or has.
type Scope struct {
	Name        string `json:"name"`
	Title       string `json:"title"`       // in the visitor's language
	Description string `json:"description"` // in the visitor's language; may be empty
	Group       string `json:"group"`       // heading above it, in the visitor's language; may be empty
	Access      string `json:"access"`      // "read", "write", "delete", or empty
	Required    bool   `json:"required"`    // can't be unchecked
	Declined    bool   `json:"declined"`    // was unchecked the last time, so its box starts unchecked
}

// Workspace describes one of the user's workspaces on the pages.
type Workspace struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	PictureURL string `json:"picture_url"` // may be empty
	Chosen     bool   `json:"chosen"`      // selected at first
}

// WorkspaceChoice describes the choice of a workspace. The form must have a
// field "workspace" with the ID of one of them, usually a radio button for
// each, with the Chosen one selected at first. If there is only one and the
// choice is not Optional, the page says which it is instead.
type WorkspaceChoice struct {
	Workspaces []Workspace `json:"workspaces"`

	// Optional reports whether the user may choose none, with an empty field:
	// then the application acts for the user alone. That is selected at first if
	// none is Chosen.
	Optional bool `json:"optional"`

	// Missing reports whether the user pressed "allow" without a choice. Show
	// Texts.WorkspaceMissing then.
	Missing bool `json:"missing"`
}

// pictures returns the URLs of all pictures, and the given ones.
func (c *WorkspaceChoice) pictures(images ...string) []string {
	if c != nil {
		for _, w := range c.Workspaces {
			images = append(images, w.PictureURL)
		}
	}
	return images
}

// only returns the name of the only workspace, or "".
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

// Consent is the data of the consent page, for a custom page set as
// Config.Consent: a template, or JSON for a JavaScript app.
//
// The page must have a form with method POST and action FormAction (RFC 6749
// section 3.1), which contains:
//
//   - FormFields as hidden fields.
//   - A field "granted" for each allowed scope, with the scope's name as its
//     value: usually a checkbox that is checked at first, unless the scope is
//     Declined. Required scopes are granted with or without a field.
//   - The field "workspace" of [WorkspaceChoice], if Workspace is not nil.
//   - Two buttons "decision" with the values "allow" and "deny".
//
// The browser must submit the form itself, not with fetch, because the answer
// redirects to the application. Make sure that neither the Enter key in a field
// nor a click meant for another window decides. The built-in page has a first
// button that sends nothing, and a shield over the others until the mouse has
// rested there.
type Consent struct {
	Host  Host  `json:"host"`
	Texts Texts `json:"texts"` // in the visitor's language, with the names filled in

	Application Application `json:"application"`
	User        User        `json:"user"`
	Scopes      []Scope     `json:"scopes"` // if empty, only who the user is

	// Resource is the name of the entry of the provider's Resources that the
	// access is for. It is empty for the host's API as a whole.
	Resource string `json:"resource"`

	// Workspace is the choice of a workspace, or nil if there is none to choose.
	Workspace *WorkspaceChoice `json:"workspace"`

	// RedirectHost is the host where the visitor goes next. It is empty for an
	// app on the visitor's device. Texts.SentTo covers both.
	RedirectHost string `json:"redirect_host"`

	// RedirectURI is the whole address, if there is a RedirectHost.
	RedirectURI string `json:"redirect_uri"`

	// OnThisDevice reports whether the answer goes to a program on the visitor's
	// device, which any other program there can impersonate (RFC 8252 section
	// 8.6). Warn of that, and of an Application that is not Reviewed. It is
	// false for a reviewed application on the machine where the host itself is
	// developed.
	OnThisDevice bool `json:"on_this_device"`

	// SwitchAccountURL lets the visitor sign in with another account and come
	// back.
	SwitchAccountURL string `json:"switch_account_url"`

	// ConnectionsURL is the page of connected applications, where the user can
	// remove access.
	ConnectionsURL string `json:"connections_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// Reason is why a visitor sees the error page.
type Reason string

// The reasons for an error page.
const (
	// ReasonBadLink means that the application sent a request that can't be
	// answered with a redirect.
	ReasonBadLink Reason = "bad_link"
	// ReasonUnknownApplication means that the application that sent the visitor
	// is not registered.
	ReasonUnknownApplication Reason = "unknown_application"
	// ReasonStaleForm means that the submitted form is forged, altered, too old,
	// already answered, or another user's.
	ReasonStaleForm Reason = "stale_form"
	// ReasonNoCookies means that a form came without the cookie that its page
	// set.
	ReasonNoCookies Reason = "no_cookies"
	// ReasonNotSignedIn means that the visitor was sent to sign in and came back
	// without a session. Sending them again could cause a loop.
	ReasonNotSignedIn Reason = "not_signed_in"
	// ReasonNoAccount means that the host does not find the signed-in user.
	ReasonNoAccount Reason = "no_account"
	// ReasonNoWorkspace means that the application acts for workspaces, and the
	// user has none, or not the one that it asked for. RetryURL is as for
	// ReasonNoAccount.
	ReasonNoWorkspace Reason = "no_workspace"
	// ReasonTooMany means that there were too many requests, or too many wrong
	// device codes.
	ReasonTooMany Reason = "too_many"
	// ReasonUnavailable means that the store or the host doesn't answer.
	ReasonUnavailable Reason = "unavailable"
)

// Error is the data of the error page, for a custom page set as Config.Error.
type Error struct {
	Host   Host   `json:"host"`
	Texts  Texts  `json:"texts"` // in the visitor's language, with the names filled in
	Status int    `json:"status"`
	Reason Reason `json:"reason"`

	// Title, Happened, and Advice are the Texts for the Reason.
	Title    string `json:"title"`
	Happened string `json:"happened"`
	Advice   string `json:"advice"`

	// Application is the one that sent the visitor. Its Name is empty if it is
	// unknown or not reviewed, because a link alone must not put a stranger's
	// words on the host's page.
	Application Application `json:"application"`

	// Code and Detail are for developers: the OAuth 2.0 error code, and in
	// English what was wrong.
	Code   string `json:"code"`
	Detail string `json:"detail"`

	// Reference is also in the log line of the refusal. It has eight letters and
	// digits and a hyphen, such as "7Q4K-M2XD".
	Reference string `json:"reference"`

	// RetryMinutes is how many minutes to wait before trying again, or 0 if that
	// is not known.
	RetryMinutes int `json:"retry_minutes"`

	// RetryURL is where to try again; for ReasonNoAccount, where to sign in with
	// another account. It may be empty.
	RetryURL string `json:"retry_url"`
}

// Step is what a [Device] or [SignOut] page is for.
type Step string

// The steps of the device page.
const (
	// StepEnter asks the user to enter the code that the device shows; a link
	// may have filled it in. The page must have a form that is posted to
	// FormAction, with FormFields as hidden fields and a field "user_code".
	StepEnter Step = "enter"
	// StepConfirm asks the user to compare the code and decide. The page must
	// have a form that is posted to FormAction, with the same fields as the form
	// of [Consent].
	StepConfirm Step = "confirm"
	// StepAllowed means that the user allowed access and goes back to the
	// device.
	StepAllowed Step = "allowed"
	// StepDenied means that the user denied access.
	StepDenied Step = "denied"
)

// Device is the data of the device pages, for custom pages set as
// Config.Device. Fields that don't apply to the Step are empty.
type Device struct {
	Host   Host  `json:"host"`
	Texts  Texts `json:"texts"` // in the visitor's language, with the names filled in
	Status int   `json:"status"`
	Step   Step  `json:"step"`

	// User is who is signed in. SwitchAccountURL lets the visitor sign in with
	// another account and come back.
	User             User   `json:"user"`
	SwitchAccountURL string `json:"switch_account_url"`

	// UserCode is the code that the device shows. At StepConfirm the page must
	// show it, so that the user can compare the two (RFC 8628 section 3.3.1). At
	// StepEnter, fill it in: it comes from the link that the visitor followed,
	// or is what they entered before. If that was wrong, WrongCode is set.
	UserCode  string `json:"user_code"`
	WrongCode bool   `json:"wrong_code"`

	// Application is the one that asks for Scopes at StepConfirm, or that asked
	// before at a later step. Warn of one that is not Reviewed. Always warn
	// users not to approve a link or code that someone sent them (RFC 8628
	// section 5.4).
	Application Application `json:"application"`
	Scopes      []Scope     `json:"scopes"`   // if empty, only who the user is
	Resource    string      `json:"resource"` // as on [Consent]

	// Workspace is the choice of a workspace at StepConfirm, or nil if there is
	// none to choose.
	Workspace *WorkspaceChoice `json:"workspace"`

	// ConnectionsURL is the page of connected applications.
	ConnectionsURL string `json:"connections_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// The steps of the sign-out page.
const (
	// StepSignOut asks whether to sign out. The page must have a form that the
	// browser itself posts to FormAction, with FormFields as hidden fields and
	// two buttons "decision" with the values "allow" and "deny".
	StepSignOut Step = "sign_out"
	// StepSignedOut means that no one is signed in.
	StepSignedOut Step = "signed_out"
	// StepStay means that the user chose to stay signed in.
	StepStay Step = "stay"
)

// SignOut is the data of the sign-out page, for a custom page set as
// Config.SignOut. Fields that don't apply to the Step are empty.
type SignOut struct {
	Host  Host  `json:"host"`
	Texts Texts `json:"texts"` // in the visitor's language, with the names filled in
	Step  Step  `json:"step"`

	// User is who is signed in at StepSignOut.
	User User `json:"user"`

	// Application is the one that sent the visitor. Its Name is empty if it is
	// not known.
	Application Application `json:"application"`

	// Leaves reports whether the visitor continues to the application: after the
	// form of StepSignOut, or with the link ContinueURL at StepSignedOut.
	// RedirectHost is the host where they go; it is empty for an app on the
	// visitor's device. Texts.SentTo covers both. Warn of an Application that is
	// not Reviewed.
	Leaves       bool   `json:"leaves"`
	RedirectHost string `json:"redirect_host"`
	ContinueURL  string `json:"continue_url"`

	FormAction string  `json:"form_action"`
	FormFields []Field `json:"form_fields"`
}

// Connections is the data of the page of connected applications. Each form is
// posted to FormAction with FormFields as hidden fields. One with a field
// "application", and "workspace" if there is one, disconnects it; one with a
// field "sign_in" ends that sign-in.
type Connections struct {
	Host             Host
	Texts            Texts
	User             User
	Connections      []Connection
	MoreURL          string      // the next page; empty on the last one
	Disconnected     Application // just disconnected; its Name may be empty
	DisconnectedFrom string      // the name of the workspace; may be empty
	SignedOut        Application // just signed out of; its Name may be empty
	FormAction       string
	FormFields       []Field
}

// Connection is an application that a user has given access, for one workspace
// if it acts for one.
type Connection struct {
	UserID      string
	Application Application
	Workspace   Workspace // its ID is empty if the application acts for the user alone
	Scopes      []Scope   // what its sign-ins have, and what it gets without asking
	Since       time.Time // when access was first given
	LastUsed    time.Time // the last sign-in or refresh of a live sign-in
	SignIns     []SignIn  // the newest 20, newest first
	SignInCount int       // the number of all
}

// SignIn is one sign-in of a user to an application on one device.
type SignIn struct {
	ID       string // ID of the grant
	Since    time.Time
	LastUsed time.Time // last sign-in or refresh
}

// FormPost is the data of the page that carries an answer to an application.
type FormPost struct {
	Host        Host
	Texts       Texts
	Application Application
	FormAction  string // where the answer goes
	FormFields  []Field
}
