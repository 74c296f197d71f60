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
// A name in braces, such as {application}, is replaced by what it stands for. The
// comment of each text names those that it may use. Texts are plain text: they
// are escaped.
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

	// The consent page. Where a text says so, the page of a device has it too.

	// ConsentTitle is the title, also of the page of a device: {application} wants
	// to use the account at {host}.
	ConsentTitle string `json:"consent_title"`
	// SignedInAs says as {user} who is signed in, on every page with a signed-in
	// user.
	SignedInAs string `json:"signed_in_as"`
	// SwitchAccount is the link to sign in as somebody else, on every page that
	// has it.
	SwitchAccount string `json:"switch_account"`
	// ConsentScopes comes before what {application} asks for. Also for devices.
	ConsentScopes string `json:"consent_scopes"`
	// ConsentNoScopes stands in its place where {application} asks for nothing but
	// who the user is. Also for devices.
	ConsentNoScopes string `json:"consent_no_scopes"`
	// ConsentResource says that the access is for the API named {resource} only.
	// Also for devices.
	ConsentResource string `json:"consent_resource"`
	// ConsentUntick says that what is asked for can be unticked. Also for devices.
	ConsentUntick string `json:"consent_untick"`
	// ConsentRequired stands, in parentheses, behind a scope that cannot be
	// unticked. Also for devices.
	ConsentRequired string `json:"consent_required"`
	// ConsentSelfRegistered warns of an application that nobody at {host} knows.
	ConsentSelfRegistered string `json:"consent_self_registered"`
	// PublishedBy names {publisher}, the host name that vouches for an
	// application, on every page that shows the application.
	PublishedBy string `json:"published_by"`
	// ConsentOnThisDevice warns of an application that runs on the visitor's own
	// device.
	ConsentOnThisDevice string `json:"consent_on_this_device"`
	// ConsentSentTo says to which {address} the visitor goes afterwards: a host,
	// or the scheme of a native application.
	ConsentSentTo string `json:"consent_sent_to"`
	// Allow is the button to agree. Also for devices.
	Allow string `json:"allow"`
	// Cancel is the button not to. Also for devices.
	Cancel string `json:"cancel"`

	// The page between the provider and an application that wants its answer by
	// response_mode=form_post. Only visitors without scripts see it.

	// ReturnTitle is the title: back to {application}.
	ReturnTitle string `json:"return_title"`
	// Continue is the button of that page, and of the one to enter the code of a
	// device.
	Continue string `json:"continue"`

	// The error page. For each [Reason] there is what happened, and as advice what
	// the visitor can do.

	// ErrorTitle is the title.
	ErrorTitle string `json:"error_title"`
	// ErrorBadLink is what happened for [ReasonBadLink], at {host}.
	ErrorBadLink string `json:"error_bad_link"`
	// ErrorBadLinkAdvice is the advice for it.
	ErrorBadLinkAdvice string `json:"error_bad_link_advice"`
	// ErrorStaleForm is what happened for [ReasonStaleForm].
	ErrorStaleForm string `json:"error_stale_form"`
	// ErrorStaleFormAdvice is the advice for it.
	ErrorStaleFormAdvice string `json:"error_stale_form_advice"`
	// ErrorNoCookies is what happened for [ReasonNoCookies].
	ErrorNoCookies string `json:"error_no_cookies"`
	// ErrorNoCookiesAdvice is the advice for it: to allow cookies for {host}.
	ErrorNoCookiesAdvice string `json:"error_no_cookies_advice"`
	// ErrorNotSignedIn is what happened for [ReasonNotSignedIn], at {host}.
	ErrorNotSignedIn string `json:"error_not_signed_in"`
	// ErrorNotSignedInAdvice is the advice for it: to allow cookies for {host}.
	ErrorNotSignedInAdvice string `json:"error_not_signed_in_advice"`
	// ErrorNoAccount is what happened for [ReasonNoAccount] to the account at
	// {host}.
	ErrorNoAccount string `json:"error_no_account"`
	// ErrorNoAccountAdvice is the advice for it.
	ErrorNoAccountAdvice string `json:"error_no_account_advice"`
	// ErrorTooMany is what happened for [ReasonTooMany].
	ErrorTooMany string `json:"error_too_many"`
	// ErrorTooManyAdvice is the advice for it.
	ErrorTooManyAdvice string `json:"error_too_many_advice"`
	// ErrorUnavailable is what happened for [ReasonUnavailable], at {host}.
	ErrorUnavailable string `json:"error_unavailable"`
	// ErrorUnavailableAdvice is the advice for it.
	ErrorUnavailableAdvice string `json:"error_unavailable_advice"`
	// TryAgain is the button to do so, where there is a way. For [ReasonNoAccount]
	// it is SwitchAccount.
	TryAgain string `json:"try_again"`
	// ErrorReference gives the visitor the {reference} of the error, for when they
	// ask {host} for help.
	ErrorReference string `json:"error_reference"`
	// ErrorDetails is the heading of what is for developers, which is in English.
	ErrorDetails string `json:"error_details"`

	// The page of connected applications.

	// ConnectionsTitle is the title: what is connected to the account at {host}.
	ConnectionsTitle string `json:"connections_title"`
	// ConnectionsNone stands in place of the list where nothing is connected.
	ConnectionsNone string `json:"connections_none"`
	// ConnectionSince says since which {date} an application is connected.
	ConnectionSince string `json:"connection_since"`
	// ConnectionLastUsed says at which {date} it was used last.
	ConnectionLastUsed string `json:"connection_last_used"`
	// ConnectionScopes comes before what {application} may do.
	ConnectionScopes string `json:"connection_scopes"`
	// ConnectionNoScopes stands in its place where {application} may only know who
	// the user is.
	ConnectionNoScopes string `json:"connection_no_scopes"`
	// Disconnect opens the question whether to disconnect an application.
	Disconnect string `json:"disconnect"`
	// DisconnectQuestion says what happens then to {application}.
	DisconnectQuestion string `json:"disconnect_question"`
	// DisconnectConfirm is the button that disconnects {application}.
	DisconnectConfirm string `json:"disconnect_confirm"`
	// Disconnected says that {application} was disconnected.
	Disconnected string `json:"disconnected"`

	// The pages on which users decide on devices. They share texts with the consent
	// page.

	// DeviceTitle is the title of the page to enter the code.
	DeviceTitle string `json:"device_title"`
	// DeviceCode is the label of the field for it.
	DeviceCode string `json:"device_code"`
	// DeviceWrong says that no device waits with the code that was entered.
	DeviceWrong string `json:"device_wrong"`
	// DeviceCompare comes before the code, for the user to compare.
	DeviceCompare string `json:"device_compare"`
	// DeviceWarning warns of links and codes that somebody else has sent.
	DeviceWarning string `json:"device_warning"`
	// DeviceSelfRegistered warns of an application that nobody at {host} knows.
	DeviceSelfRegistered string `json:"device_self_registered"`
	// DeviceAllowedTitle is the title after the user has allowed {application}.
	DeviceAllowedTitle string `json:"device_allowed_title"`
	// DeviceAllowed says what {application} can do with the account at {host} now.
	DeviceAllowed string `json:"device_allowed"`
	// DeviceDeniedTitle is the title after the user has said no.
	DeviceDeniedTitle string `json:"device_denied_title"`
	// DeviceDenied says that {application} got no access to the account at {host}.
	DeviceDenied string `json:"device_denied"`
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
		return t.ErrorStaleForm, t.ErrorStaleFormAdvice
	case ReasonNoCookies:
		return t.ErrorNoCookies, t.ErrorNoCookiesAdvice
	case ReasonNotSignedIn:
		return t.ErrorNotSignedIn, t.ErrorNotSignedInAdvice
	case ReasonNoAccount:
		return t.ErrorNoAccount, t.ErrorNoAccountAdvice
	case ReasonTooMany:
		return t.ErrorTooMany, t.ErrorTooManyAdvice
	case ReasonUnavailable:
		return t.ErrorUnavailable, t.ErrorUnavailableAdvice
	}
	return t.ErrorBadLink, t.ErrorBadLinkAdvice
}
