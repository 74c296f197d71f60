package pages

import (
	"cmp"
	"reflect"
	"slices"
)

// Texts are the words of the built-in pages in one language. [English] and
// [German] return complete ones, to be used or changed; a text that is left
// empty is the English one.
//
// A name in braces, such as {application}, is replaced by what it stands for;
// each text may use those that its English version has. Texts are plain text:
// they are escaped.
type Texts struct {
	// Language is a language tag such as "en" or "pt-BR" (RFC 5646).
	Language string `json:"language"`
	// Direction is "ltr" or "rtl". Empty: "ltr".
	Direction string `json:"direction"`
	// DateLayout is how a day is written, in the layout of package time. Months
	// by name are English, so other languages use numbers.
	DateLayout string `json:"date_layout"`
	// TimeLayout is the same for a moment. Times are UTC.
	TimeLayout string `json:"time_layout"`
	// Scopes are the sentences of scopes, by name, and ScopeDescriptions their
	// descriptions. What is not there has the Title and Description of the scope.
	Scopes            map[string]string `json:"scopes"`
	ScopeDescriptions map[string]string `json:"scope_descriptions"`
	// ScopeGroups are the headings of groups, by the Group of their scopes. What
	// is not there is the heading itself.
	ScopeGroups map[string]string `json:"scope_groups"`

	// The consent page.
	ConsentTitle  string `json:"consent_title"`
	SignedInAs    string `json:"signed_in_as"`
	SwitchAccount string `json:"switch_account"`
	Asks          string `json:"asks"`
	AsksNothing   string `json:"asks_nothing"`
	OnlyFor       string `json:"only_for"`
	Choose        string `json:"choose"`
	Always        string `json:"always"`
	CanChange     string `json:"can_change"`
	CanDelete     string `json:"can_delete"`
	Reviewed      string `json:"reviewed"`
	Unreviewed    string `json:"unreviewed"`
	NotReviewed   string `json:"not_reviewed"`
	Recognize     string `json:"recognize"` // what to do about it
	OnThisDevice  string `json:"on_this_device"`
	Details       string `json:"details"`
	ReturnAddress string `json:"return_address"`
	Claims        string `json:"claims"` // before the links of an application that is not reviewed
	HomePage      string `json:"home_page"`
	PrivacyPolicy string `json:"privacy_policy"`
	Terms         string `json:"terms"`
	SentTo        string `json:"sent_to"`
	SentToApp     string `json:"sent_to_app"` // in place of SentTo, where the address is none of a host
	RemoveLater   string `json:"remove_later"`
	Allow         string `json:"allow"`
	Cancel        string `json:"cancel"`

	// The choice of a workspace, on the consent page and that of devices.
	Workspace        string `json:"workspace"`
	WorkspaceOnly    string `json:"workspace_only"` // in place of a choice, where there is one
	WorkspaceChoose  string `json:"workspace_choose"`
	WorkspaceNone    string `json:"workspace_none"`
	WorkspaceMissing string `json:"workspace_missing"`

	// The page between the provider and an application that wants its answer
	// by response_mode=form_post. Only visitors without scripts see it.
	ReturnTitle string `json:"return_title"`
	ReturnHint  string `json:"return_hint"`
	Continue    string `json:"continue"`

	// The error page: for each [Reason] a title, what happened, and what the
	// visitor can do.
	BadLinkTitle             string `json:"bad_link_title"`
	BadLink                  string `json:"bad_link"`
	BadLinkFrom              string `json:"bad_link_from"` // in place of BadLink, where the application is known
	BadLinkAdvice            string `json:"bad_link_advice"`
	UnknownApplicationTitle  string `json:"unknown_application_title"`
	UnknownApplication       string `json:"unknown_application"`
	UnknownApplicationAdvice string `json:"unknown_application_advice"`
	StaleFormTitle           string `json:"stale_form_title"`
	StaleForm                string `json:"stale_form"`
	StaleFormAdvice          string `json:"stale_form_advice"`
	NoCookiesTitle           string `json:"no_cookies_title"`
	NoCookies                string `json:"no_cookies"`
	NoCookiesAdvice          string `json:"no_cookies_advice"`
	NotSignedInTitle         string `json:"not_signed_in_title"`
	NotSignedIn              string `json:"not_signed_in"`
	NotSignedInAdvice        string `json:"not_signed_in_advice"`
	NoAccountTitle           string `json:"no_account_title"`
	NoAccount                string `json:"no_account"`
	NoAccountAdvice          string `json:"no_account_advice"`
	NoWorkspaceTitle         string `json:"no_workspace_title"`
	NoWorkspace              string `json:"no_workspace"`
	NoWorkspaceAdvice        string `json:"no_workspace_advice"`
	TooManyTitle             string `json:"too_many_title"`
	TooMany                  string `json:"too_many"`
	TooManyAdvice            string `json:"too_many_advice"`
	TooManyMinutes           string `json:"too_many_minutes"` // in place of TooManyAdvice, where it is known when
	UnavailableTitle         string `json:"unavailable_title"`
	Unavailable              string `json:"unavailable"`
	UnavailableAdvice        string `json:"unavailable_advice"`
	TryAgain                 string `json:"try_again"`
	GoToHost                 string `json:"go_to_host"`
	ErrorReference           string `json:"error_reference"`
	ErrorDetails             string `json:"error_details"`

	// The page of connected applications.
	ConnectionsTitle     string `json:"connections_title"`
	ConnectionsHint      string `json:"connections_hint"`
	ConnectionsNone      string `json:"connections_none"`
	BackToHost           string `json:"back_to_host"`
	AppOnDevice          string `json:"app_on_device"`
	Permissions          string `json:"permissions"`
	ConnectedSince       string `json:"connected_since"`
	LastUsed             string `json:"last_used"`
	InWorkspace          string `json:"in_workspace"`
	May                  string `json:"may"`
	MayNothing           string `json:"may_nothing"`
	SignIns              string `json:"sign_ins"`
	SignInsMore          string `json:"sign_ins_more"`
	SignedInAt           string `json:"signed_in_at"`
	ConnectionSignedOut  string `json:"connection_signed_out"`
	DisconnectQuestion   string `json:"disconnect_question"`
	DisconnectQuestionIn string `json:"disconnect_question_in"` // the same, in a workspace
	DisconnectConfirm    string `json:"disconnect_confirm"`
	Disconnected         string `json:"disconnected"`
	DisconnectedFrom     string `json:"disconnected_from"` // the same, from a workspace
	Reconnect            string `json:"reconnect"`
	More                 string `json:"more"`

	// The pages on which users decide on devices. They share texts with the
	// consent page.
	DeviceTitle        string `json:"device_title"`
	DeviceHint         string `json:"device_hint"`
	DeviceCode         string `json:"device_code"`
	DeviceWrong        string `json:"device_wrong"`
	DeviceCompare      string `json:"device_compare"`
	DeviceWarning      string `json:"device_warning"`
	DeviceAllowedTitle string `json:"device_allowed_title"`
	DeviceAllowed      string `json:"device_allowed"`
	DeviceDeniedTitle  string `json:"device_denied_title"`
	DeviceDenied       string `json:"device_denied"`
	Manage             string `json:"manage"`

	// The page on which users sign out of the host. It shares texts with the
	// consent page.
	SignOutTitle  string `json:"sign_out_title"`
	SignOutAsks   string `json:"sign_out_asks"`
	SignOutKeeps  string `json:"sign_out_keeps"`
	SignOut       string `json:"sign_out"`
	SignedOut     string `json:"signed_out"`
	SignedOutHint string `json:"signed_out_hint"`
	SignOutNot    string `json:"sign_out_not"`
	SignOutClose  string `json:"sign_out_close"`
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

// fill returns the texts with names put in, given as name, value.
func (t Texts) fill(pairs ...string) Texts {
	v := reflect.ValueOf(&t).Elem()
	for i := range v.NumField() {
		if field := v.Field(i); field.Kind() == reflect.String {
			field.SetString(plain(field.String(), pairs...))
		}
	}
	return t
}

// scopes returns the scopes with the words that the texts have for them.
func (t Texts) scopes(asked []Scope) []Scope {
	asked = slices.Clone(asked)
	for i, s := range asked {
		asked[i].Title = cmp.Or(t.Scopes[s.Name], s.Title)
		asked[i].Description = cmp.Or(t.ScopeDescriptions[s.Name], s.Description)
		asked[i].Group = cmp.Or(t.ScopeGroups[s.Group], s.Group)
	}
	return asked
}

// reason says on an error page what happened, and what the visitor can do.
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
