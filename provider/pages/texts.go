package pages

import (
	"cmp"
	"reflect"
	"slices"
)

// Texts contains the words of the built-in pages in one language. [English],
// [German], and [GermanFormal] return complete ones to use or change. For an
// empty text, the pages use the English one.
//
// Texts may contain placeholders, such as {application}. The comment of each
// field lists those that it may use, and [English] shows its default:
//
//   - {application} is the name of the application
//   - {host} is Config.Name
//   - {user} is the user's name, username, email address, or ID
//   - {address} is the host where the browser goes next
//   - {resource} and {workspace} are their names
//   - {connections} is ConnectionsTitle
//   - {date} is a day or time in DateLayout or TimeLayout
//   - {count} and {minutes} are numbers
//   - {reference} is the reference of an error
//
// Texts are plain text; Latchkey escapes them.
type Texts struct {
	// Language is a language tag such as "en" or "pt-BR" (RFC 5646).
	Language string `json:"language"`
	// Direction is "ltr" or "rtl". The default is "ltr".
	Direction string `json:"direction"`
	// DateLayout is the layout of a day, as in package time. Names of months
	// come out in English, so use numbers for other languages.
	DateLayout string `json:"date_layout"`
	// TimeLayout is the layout of a time, as in package time. Times are UTC.
	TimeLayout string `json:"time_layout"`
	// Scopes maps the name of a scope to its title, and ScopeDescriptions to
	// its description. The default is the Title and Description of the scope.
	Scopes            map[string]string `json:"scopes"`
	ScopeDescriptions map[string]string `json:"scope_descriptions"`
	// ScopeGroups maps the Group of scopes to its heading. The default is the
	// Group itself.
	ScopeGroups map[string]string `json:"scope_groups"`

	// The consent page.
	ConsentTitle  string `json:"consent_title"`  // heading; {application}, {host}
	SignedInAs    string `json:"signed_in_as"`   // line with the signed-in user; {user}
	SwitchAccount string `json:"switch_account"` // link to sign in with another account
	Asks          string `json:"asks"`           // above the scopes; {application}
	AsksNothing   string `json:"asks_nothing"`   // replaces Asks if there are no scopes; {application}, {host}
	OnlyFor       string `json:"only_for"`       // if the access is for one resource; {resource}
	Choose        string `json:"choose"`         // if scopes can be unchecked
	Always        string `json:"always"`         // label of a required scope
	CanChange     string `json:"can_change"`     // label of a scope with write access
	CanDelete     string `json:"can_delete"`     // label of a scope with delete access
	Reviewed      string `json:"reviewed"`       // label of a reviewed application; {host}
	Unreviewed    string `json:"unreviewed"`     // label of one that is not reviewed
	NotReviewed   string `json:"not_reviewed"`   // warning if it is not reviewed; {host}
	Recognize     string `json:"recognize"`      // advice after NotReviewed; {address}
	OnThisDevice  string `json:"on_this_device"` // warning if the answer goes to a program on the device
	Details       string `json:"details"`        // opens more about the application
	ReturnAddress string `json:"return_address"` // label of the redirect URI
	Claims        string `json:"claims"`         // above the links of an application that is not reviewed
	HomePage      string `json:"home_page"`      // link
	PrivacyPolicy string `json:"privacy_policy"` // link
	Terms         string `json:"terms"`          // link
	SentTo        string `json:"sent_to"`        // where the browser goes next; {address}
	SentToApp     string `json:"sent_to_app"`    // replaces SentTo if the answer goes to an app on the device
	RemoveLater   string `json:"remove_later"`   // where to remove access; {connections} is ConnectionsTitle
	Allow         string `json:"allow"`          // button
	Cancel        string `json:"cancel"`         // button

	// The choice of a workspace, on the consent page and the device page.
	Workspace        string `json:"workspace"`         // question above the workspaces; {application}
	WorkspaceOnly    string `json:"workspace_only"`    // replaces the choice if there is only one; {workspace}
	WorkspaceChoose  string `json:"workspace_choose"`  // label of the choice
	WorkspaceNone    string `json:"workspace_none"`    // choice of no workspace
	WorkspaceMissing string `json:"workspace_missing"` // error if none was chosen

	// The page that returns to an application with response_mode=form_post.
	// Only visitors whose browsers run no scripts see it.
	ReturnTitle string `json:"return_title"` // heading; {application}
	ReturnHint  string `json:"return_hint"`  // what to do
	Continue    string `json:"continue"`     // button

	// The error page. Each [Reason] has a heading, what happened, and what to
	// do.
	BadLinkTitle             string `json:"bad_link_title"`             // heading
	BadLink                  string `json:"bad_link"`                   // what happened; {host}
	BadLinkFrom              string `json:"bad_link_from"`              // replaces BadLink if the application is known; {application}, {host}
	BadLinkAdvice            string `json:"bad_link_advice"`            // what to do
	UnknownApplicationTitle  string `json:"unknown_application_title"`  // heading
	UnknownApplication       string `json:"unknown_application"`        // what happened; {host}
	UnknownApplicationAdvice string `json:"unknown_application_advice"` // what to do
	StaleFormTitle           string `json:"stale_form_title"`           // heading
	StaleForm                string `json:"stale_form"`                 // what happened
	StaleFormAdvice          string `json:"stale_form_advice"`          // what to do
	NoCookiesTitle           string `json:"no_cookies_title"`           // heading
	NoCookies                string `json:"no_cookies"`                 // what happened; {host}
	NoCookiesAdvice          string `json:"no_cookies_advice"`          // what to do; {host}
	NotSignedInTitle         string `json:"not_signed_in_title"`        // heading
	NotSignedIn              string `json:"not_signed_in"`              // what happened; {host}
	NotSignedInAdvice        string `json:"not_signed_in_advice"`       // what to do; {host}
	NoAccountTitle           string `json:"no_account_title"`           // heading
	NoAccount                string `json:"no_account"`                 // what happened; {host}
	NoAccountAdvice          string `json:"no_account_advice"`          // what to do
	NoWorkspaceTitle         string `json:"no_workspace_title"`         // heading
	NoWorkspace              string `json:"no_workspace"`               // what happened; {host}
	NoWorkspaceAdvice        string `json:"no_workspace_advice"`        // what to do
	TooManyTitle             string `json:"too_many_title"`             // heading
	TooMany                  string `json:"too_many"`                   // what happened
	TooManyAdvice            string `json:"too_many_advice"`            // what to do
	TooManyMinutes           string `json:"too_many_minutes"`           // replaces TooManyAdvice if the wait is known; {minutes}
	UnavailableTitle         string `json:"unavailable_title"`          // heading; {host}
	Unavailable              string `json:"unavailable"`                // what happened; {host}
	UnavailableAdvice        string `json:"unavailable_advice"`         // what to do
	TryAgain                 string `json:"try_again"`                  // link
	GoToHost                 string `json:"go_to_host"`                 // link; {host}
	ErrorReference           string `json:"error_reference"`            // line with the reference for support; {reference}
	ErrorDetails             string `json:"error_details"`              // opens details for developers

	// The page of connected applications.
	ConnectionsTitle     string `json:"connections_title"`      // heading
	ConnectionsHint      string `json:"connections_hint"`       // below the heading; {host}
	ConnectionsNone      string `json:"connections_none"`       // if there are none; {host}
	BackToHost           string `json:"back_to_host"`           // link; {host}
	AppOnDevice          string `json:"app_on_device"`          // replaces the domain of an app on the device
	Permissions          string `json:"permissions"`            // number of scopes; {count}
	ConnectedSince       string `json:"connected_since"`        // line with a day; {date}
	LastUsed             string `json:"last_used"`              // line with a day; {date}
	InWorkspace          string `json:"in_workspace"`           // line with the workspace; {workspace}
	May                  string `json:"may"`                    // above the scopes; {application}
	MayNothing           string `json:"may_nothing"`            // replaces May if there are no scopes; {application}, {host}
	SignIns              string `json:"sign_ins"`               // number of sign-ins; {count}
	SignInsMore          string `json:"sign_ins_more"`          // if some sign-ins are not listed; {count}
	SignedInAt           string `json:"signed_in_at"`           // line with a time; {date}
	ConnectionSignedOut  string `json:"connection_signed_out"`  // after a sign-in was ended; {application}
	DisconnectQuestion   string `json:"disconnect_question"`    // before disconnecting
	DisconnectQuestionIn string `json:"disconnect_question_in"` // the same, for a workspace; {workspace}
	DisconnectConfirm    string `json:"disconnect_confirm"`     // button; {application}
	Disconnected         string `json:"disconnected"`           // after disconnecting; {application}
	DisconnectedFrom     string `json:"disconnected_from"`      // the same, for a workspace; {application}, {workspace}
	Reconnect            string `json:"reconnect"`              // link after disconnecting
	More                 string `json:"more"`                   // link to the next page

	// The device pages. They share texts with the consent page.
	DeviceTitle        string `json:"device_title"`         // heading
	DeviceHint         string `json:"device_hint"`          // where to find the code
	DeviceCode         string `json:"device_code"`          // label of the code
	DeviceWrong        string `json:"device_wrong"`         // error after a wrong code
	DeviceCompare      string `json:"device_compare"`       // above the code to compare
	DeviceWarning      string `json:"device_warning"`       // warning against codes that someone sent
	DeviceAllowedTitle string `json:"device_allowed_title"` // heading after allowing; {application}
	DeviceAllowed      string `json:"device_allowed"`       // what to do then; {application}, {host}
	DeviceDeniedTitle  string `json:"device_denied_title"`  // heading after denying
	DeviceDenied       string `json:"device_denied"`        // what to do then; {application}, {host}
	Manage             string `json:"manage"`               // link to the page of connected applications

	// The sign-out page. It shares texts with the consent page.
	SignOutTitle  string `json:"sign_out_title"`  // heading; {host}
	SignOutAsks   string `json:"sign_out_asks"`   // if an application sent the user; {application}, {host}
	SignOutKeeps  string `json:"sign_out_keeps"`  // what signing out does
	SignOut       string `json:"sign_out"`        // button
	SignedOut     string `json:"signed_out"`      // heading afterwards
	SignedOutHint string `json:"signed_out_hint"` // below SignedOut; {host}
	SignOutNot    string `json:"sign_out_not"`    // heading if the user stays signed in
	SignOutClose  string `json:"sign_out_close"`  // if there is nowhere to go
}

// complete returns the texts with the English ones for those that are empty.
func (t Texts) complete() Texts {
	to, from := reflect.ValueOf(&t).Elem(), reflect.ValueOf(English())
	for i := range to.NumField() {
		if field := to.Field(i); field.Kind() == reflect.String && field.Len() == 0 {
			field.Set(from.Field(i))
		}
	}
	if t.Direction != "rtl" {
		t.Direction = "ltr"
	}
	return t
}

// fill returns the texts with their placeholders filled, given as name, value.
func (t Texts) fill(pairs ...string) Texts {
	v := reflect.ValueOf(&t).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.String {
			field.SetString(plain(field.String(), pairs...))
		}
	}
	return t
}

// scopes returns the scopes with the titles and descriptions of the texts.
func (t Texts) scopes(asked []Scope) []Scope {
	asked = slices.Clone(asked)
	for i, s := range asked {
		asked[i].Title = cmp.Or(t.Scopes[s.Name], s.Title)
		asked[i].Description = cmp.Or(t.ScopeDescriptions[s.Name], s.Description)
		asked[i].Group = cmp.Or(t.ScopeGroups[s.Group], s.Group)
	}
	return asked
}

// reason sets on an error page what happened, and what the visitor can do.
func (t Texts) reason(page *Error) {
	switch page.Reason {
	case ReasonUnknownApplication:
		page.Title, page.Happened, page.Advice = t.UnknownApplicationTitle, t.UnknownApplication, t.UnknownApplicationAdvice
	case ReasonStaleForm:
		page.Title, page.Happened, page.Advice = t.StaleFormTitle, t.StaleForm, t.StaleFormAdvice
	case ReasonNoCookies:
		page.Title, page.Happened, page.Advice = t.NoCookiesTitle, t.NoCookies, t.NoCookiesAdvice
	case ReasonNotSignedIn:
		page.Title, page.Happened, page.Advice = t.NotSignedInTitle, t.NotSignedIn, t.NotSignedInAdvice
	case ReasonNoAccount:
		page.Title, page.Happened, page.Advice = t.NoAccountTitle, t.NoAccount, t.NoAccountAdvice
	case ReasonNoWorkspace:
		page.Title, page.Happened, page.Advice = t.NoWorkspaceTitle, t.NoWorkspace, t.NoWorkspaceAdvice
	case ReasonTooMany:
		page.Title, page.Happened, page.Advice = t.TooManyTitle, t.TooMany, t.TooManyAdvice
	case ReasonUnavailable:
		page.Title, page.Happened, page.Advice = t.UnavailableTitle, t.Unavailable, t.UnavailableAdvice
	default:
		page.Title, page.Happened, page.Advice = t.BadLinkTitle, t.BadLink, t.BadLinkAdvice
		if page.Application.Name != "" {
			page.Happened = t.BadLinkFrom
		}
	}
	if page.Reason == ReasonTooMany && page.RetryMinutes > 1 {
		page.Advice = t.TooManyMinutes
	}
}
