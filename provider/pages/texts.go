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
	// Scopes are the sentences of scopes, by name. What is not there has the
	// Title of the scope.
	Scopes map[string]string `json:"scopes"`

	// The consent page.
	ConsentTitle  string `json:"consent_title"`
	SignedInAs    string `json:"signed_in_as"`
	SwitchAccount string `json:"switch_account"`
	Asks          string `json:"asks"`
	AsksNothing   string `json:"asks_nothing"`
	OnlyFor       string `json:"only_for"`
	Choose        string `json:"choose"`
	Always        string `json:"always"`
	NotReviewed   string `json:"not_reviewed"`
	PublishedBy   string `json:"published_by"`
	OnThisDevice  string `json:"on_this_device"`
	SentTo        string `json:"sent_to"`
	SentToApp     string `json:"sent_to_app"` // in place of SentTo, where the address is none of a host
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
	Continue    string `json:"continue"`

	// The error page: for each [Reason] what happened, and what the
	// visitor can do.
	ErrorTitle        string `json:"error_title"`
	BadLink           string `json:"bad_link"`
	BadLinkAdvice     string `json:"bad_link_advice"`
	StaleForm         string `json:"stale_form"`
	StaleFormAdvice   string `json:"stale_form_advice"`
	NoCookies         string `json:"no_cookies"`
	NoCookiesAdvice   string `json:"no_cookies_advice"`
	NotSignedIn       string `json:"not_signed_in"`
	NotSignedInAdvice string `json:"not_signed_in_advice"`
	NoAccount         string `json:"no_account"`
	NoAccountAdvice   string `json:"no_account_advice"`
	NoWorkspace       string `json:"no_workspace"`
	NoWorkspaceAdvice string `json:"no_workspace_advice"`
	TooMany           string `json:"too_many"`
	TooManyAdvice     string `json:"too_many_advice"`
	Unavailable       string `json:"unavailable"`
	UnavailableAdvice string `json:"unavailable_advice"`
	TryAgain          string `json:"try_again"`
	ErrorReference    string `json:"error_reference"`
	ErrorDetails      string `json:"error_details"`

	// The page of connected applications.
	ConnectionsTitle     string `json:"connections_title"`
	ConnectionsNone      string `json:"connections_none"`
	ConnectedSince       string `json:"connected_since"`
	LastUsed             string `json:"last_used"`
	InWorkspace          string `json:"in_workspace"`
	May                  string `json:"may"`
	MayNothing           string `json:"may_nothing"`
	Disconnect           string `json:"disconnect"`
	DisconnectQuestion   string `json:"disconnect_question"`
	DisconnectQuestionIn string `json:"disconnect_question_in"` // the same, in a workspace
	DisconnectConfirm    string `json:"disconnect_confirm"`
	Disconnected         string `json:"disconnected"`
	DisconnectedFrom     string `json:"disconnected_from"` // the same, from a workspace

	// The pages on which users decide on devices. They share texts with the
	// consent page.
	DeviceTitle        string `json:"device_title"`
	DeviceCode         string `json:"device_code"`
	DeviceWrong        string `json:"device_wrong"`
	DeviceCompare      string `json:"device_compare"`
	DeviceWarning      string `json:"device_warning"`
	DeviceNotReviewed  string `json:"device_not_reviewed"`
	DeviceAllowedTitle string `json:"device_allowed_title"`
	DeviceAllowed      string `json:"device_allowed"`
	DeviceDeniedTitle  string `json:"device_denied_title"`
	DeviceDenied       string `json:"device_denied"`

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

// scopes returns the scopes with the titles that the texts have for them.
func (t Texts) scopes(asked []Scope) []Scope {
	asked = slices.Clone(asked)
	for i, s := range asked {
		asked[i].Title = cmp.Or(t.Scopes[s.Name], s.Title)
	}
	return asked
}

// reason says for an error page what happened, and what the visitor can do.
func (t Texts) reason(why Reason) (happened, advice string) {
	switch why {
	case ReasonStaleForm:
		return t.StaleForm, t.StaleFormAdvice
	case ReasonNoCookies:
		return t.NoCookies, t.NoCookiesAdvice
	case ReasonNotSignedIn:
		return t.NotSignedIn, t.NotSignedInAdvice
	case ReasonNoAccount:
		return t.NoAccount, t.NoAccountAdvice
	case ReasonNoWorkspace:
		return t.NoWorkspace, t.NoWorkspaceAdvice
	case ReasonTooMany:
		return t.TooMany, t.TooManyAdvice
	case ReasonUnavailable:
		return t.Unavailable, t.UnavailableAdvice
	}
	return t.BadLink, t.BadLinkAdvice
}
