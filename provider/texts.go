package provider

import (
	"cmp"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
	// Title of Config.Scopes.
	Scopes map[string]string `json:"scopes"`

	// The consent page.
	ConsentTitle   string `json:"consent_title"`
	SignedInAs     string `json:"signed_in_as"`
	SwitchAccount  string `json:"switch_account"`
	Asks           string `json:"asks"`
	AsksNothing    string `json:"asks_nothing"`
	OnlyFor        string `json:"only_for"`
	Choose         string `json:"choose"`
	Always         string `json:"always"`
	SelfRegistered string `json:"self_registered"`
	PublishedBy    string `json:"published_by"`
	OnThisDevice   string `json:"on_this_device"`
	SentTo         string `json:"sent_to"`
	Allow          string `json:"allow"`
	Cancel         string `json:"cancel"`

	// The page between the provider and an application that wants its answer
	// by response_mode=form_post. Only visitors without scripts see it.
	ReturnTitle string `json:"return_title"`
	Continue    string `json:"continue"`

	// The error page: for each [ErrorReason] what happened, and what the
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
	TooMany           string `json:"too_many"`
	TooManyAdvice     string `json:"too_many_advice"`
	Unavailable       string `json:"unavailable"`
	UnavailableAdvice string `json:"unavailable_advice"`
	TryAgain          string `json:"try_again"`
	ErrorReference    string `json:"error_reference"`
	ErrorDetails      string `json:"error_details"`

	// The page of connected applications.
	ConnectionsTitle   string `json:"connections_title"`
	ConnectionsNone    string `json:"connections_none"`
	ConnectedSince     string `json:"connected_since"`
	LastUsed           string `json:"last_used"`
	May                string `json:"may"`
	MayNothing         string `json:"may_nothing"`
	Disconnect         string `json:"disconnect"`
	DisconnectQuestion string `json:"disconnect_question"`
	DisconnectConfirm  string `json:"disconnect_confirm"`
	Disconnected       string `json:"disconnected"`

	// The pages on which users decide on devices. They share texts with the
	// consent page.
	DeviceTitle          string `json:"device_title"`
	DeviceCode           string `json:"device_code"`
	DeviceWrong          string `json:"device_wrong"`
	DeviceCompare        string `json:"device_compare"`
	DeviceWarning        string `json:"device_warning"`
	DeviceSelfRegistered string `json:"device_self_registered"`
	DeviceAllowedTitle   string `json:"device_allowed_title"`
	DeviceAllowed        string `json:"device_allowed"`
	DeviceDeniedTitle    string `json:"device_denied_title"`
	DeviceDenied         string `json:"device_denied"`
}

// English returns the texts that the pages have where Config.Texts says
// nothing else.
func English() Texts {
	return Texts{
		Language:   "en",
		Direction:  "ltr",
		DateLayout: "2 January 2006",

		ConsentTitle:   "{application} wants to use your {host} account",
		SignedInAs:     "You are signed in as {user}.",
		SwitchAccount:  "Use another account",
		Asks:           "{application} asks to:",
		AsksNothing:    "{application} asks only to know which account is yours.",
		OnlyFor:        "This is for {resource} only.",
		Choose:         "Untick what you do not want to allow.",
		Always:         "always needed",
		SelfRegistered: "This application registered itself. Nobody at {host} has checked who is behind it. Go on only if you started this yourself and know the address below.",
		PublishedBy:    "Published by {publisher}",
		OnThisDevice:   "This application runs on your own device. Go on only if you have just started it yourself.",
		SentTo:         "You will then be sent to {address}.",
		Allow:          "Allow",
		Cancel:         "Cancel",

		ReturnTitle: "Back to {application}",
		Continue:    "Continue",

		ErrorTitle:        "This did not work",
		BadLink:           "The application that sent you here made a mistake, so {host} cannot go on. Nothing was shared with it.",
		BadLinkAdvice:     "Go back to the application and try again. If it happens again, tell the people who make it, and give them the details below.",
		StaleForm:         "Your answer does not belong to a page that is still open: it was sent before, the page is too old, or you have signed in as somebody else since.",
		StaleFormAdvice:   "Open the page again and answer that one.",
		NoCookies:         "Your browser did not send the cookie that this page set.",
		NoCookiesAdvice:   "Allow cookies for {host}, then open the page again.",
		NotSignedIn:       "You came back from signing in, but {host} does not see that you are signed in.",
		NotSignedInAdvice: "If your browser blocks cookies, allow them for {host}. Then try again.",
		NoAccount:         "Your {host} account is not available any more.",
		NoAccountAdvice:   "If you have another account, sign in with that one.",
		TooMany:           "There were too many attempts.",
		TooManyAdvice:     "Wait some minutes, then try again.",
		Unavailable:       "{host} cannot answer right now.",
		UnavailableAdvice: "Wait a moment and reload this page.",
		TryAgain:          "Try again",
		ErrorReference:    "If you ask {host} for help, give them this number: {reference}",
		ErrorDetails:      "Details for developers",

		ConnectionsTitle:   "Applications connected to your {host} account",
		ConnectionsNone:    "No application is connected to your account.",
		ConnectedSince:     "Connected since {date}",
		LastUsed:           "Last used {date}",
		May:                "{application} may:",
		MayNothing:         "{application} may only know which account is yours.",
		Disconnect:         "Disconnect",
		DisconnectQuestion: "{application} will not be able to use your account any more, on any device. You can connect it again by signing in there.",
		DisconnectConfirm:  "Yes, disconnect {application}",
		Disconnected:       "{application} is disconnected. It cannot use your account any more.",

		DeviceTitle:          "Connect a device",
		DeviceCode:           "Code that your device shows",
		DeviceWrong:          "No device waits with this code. Compare it with the one on your device. If it is the same, it is too old or was used: have your device show a new one.",
		DeviceCompare:        "Your device has to show this very code:",
		DeviceWarning:        "Only go on if you started this yourself on a device in front of you. If somebody sent you this link or code, cancel.",
		DeviceSelfRegistered: "This application registered itself. Nobody at {host} has checked who is behind it, or whether the name is its own.",
		DeviceAllowedTitle:   "{application} is connected",
		DeviceAllowed:        "{application} can now use your {host} account. Go back to your device. You can close this page.",
		DeviceDeniedTitle:    "Nothing was allowed",
		DeviceDenied:         "{application} got no access to your {host} account. You can close this page.",
	}
}

// German returns the texts in German, with the sentences of the built-in
// scopes.
func German() Texts {
	return Texts{
		Language:   "de",
		Direction:  "ltr",
		DateLayout: "02.01.2006",
		Scopes: map[string]string{
			"profile":          "Deinen Namen, Benutzernamen und dein Bild sehen",
			"email":            "Deine E-Mail-Adresse sehen",
			"public_metadata":  "Die öffentlichen Angaben deines Kontos sehen",
			"private_metadata": "Die privaten Angaben deines Kontos sehen",
		},

		ConsentTitle:   "{application} möchte dein Konto bei {host} nutzen",
		SignedInAs:     "Du bist angemeldet als {user}.",
		SwitchAccount:  "Ein anderes Konto verwenden",
		Asks:           "{application} möchte:",
		AsksNothing:    "{application} möchte nur wissen, welches Konto deines ist.",
		OnlyFor:        "Das gilt nur für {resource}.",
		Choose:         "Entferne das Häkchen bei allem, was du nicht erlauben willst.",
		Always:         "immer nötig",
		SelfRegistered: "Diese Anwendung hat sich selbst registriert. Niemand bei {host} hat geprüft, wer dahintersteht. Mach nur weiter, wenn du das selbst gestartet hast und die Adresse unten kennst.",
		PublishedBy:    "Veröffentlicht von {publisher}",
		OnThisDevice:   "Diese Anwendung läuft auf deinem eigenen Gerät. Mach nur weiter, wenn du sie gerade selbst gestartet hast.",
		SentTo:         "Danach geht es weiter zu {address}.",
		Allow:          "Erlauben",
		Cancel:         "Abbrechen",

		ReturnTitle: "Zurück zu {application}",
		Continue:    "Weiter",

		ErrorTitle:        "Das hat nicht geklappt",
		BadLink:           "Die Anwendung, von der du kommst, hat einen Fehler gemacht. {host} kann deshalb nicht weitermachen. Sie hat nichts erfahren.",
		BadLinkAdvice:     "Geh zurück zur Anwendung und versuch es noch einmal. Wenn es wieder passiert, sag denen Bescheid, die sie machen, und gib ihnen die Einzelheiten unten.",
		StaleForm:         "Deine Antwort gehört zu keiner Seite, die noch gilt: Sie wurde schon gesendet, die Seite ist zu alt, oder du hast dich inzwischen anders angemeldet.",
		StaleFormAdvice:   "Öffne die Seite noch einmal und beantworte dann diese.",
		NoCookies:         "Dein Browser hat das Cookie nicht gesendet, das diese Seite gesetzt hat.",
		NoCookiesAdvice:   "Erlaube Cookies für {host} und öffne die Seite dann noch einmal.",
		NotSignedIn:       "Du kommst von der Anmeldung zurück, aber {host} sieht nicht, dass du angemeldet bist.",
		NotSignedInAdvice: "Falls dein Browser Cookies blockiert, erlaube sie für {host}. Versuch es dann noch einmal.",
		NoAccount:         "Dein Konto bei {host} ist nicht mehr verfügbar.",
		NoAccountAdvice:   "Wenn du ein anderes Konto hast, melde dich damit an.",
		TooMany:           "Das waren zu viele Versuche.",
		TooManyAdvice:     "Warte einige Minuten und versuch es dann noch einmal.",
		Unavailable:       "{host} kann gerade nicht antworten.",
		UnavailableAdvice: "Warte einen Moment und lade diese Seite neu.",
		TryAgain:          "Noch einmal versuchen",
		ErrorReference:    "Wenn du {host} um Hilfe bittest, gib diese Nummer an: {reference}",
		ErrorDetails:      "Einzelheiten für Entwickler",

		ConnectionsTitle:   "Anwendungen, die mit deinem Konto bei {host} verbunden sind",
		ConnectionsNone:    "Mit deinem Konto ist keine Anwendung verbunden.",
		ConnectedSince:     "Verbunden seit {date}",
		LastUsed:           "Zuletzt genutzt am {date}",
		May:                "{application} darf:",
		MayNothing:         "{application} darf nur wissen, welches Konto deines ist.",
		Disconnect:         "Trennen",
		DisconnectQuestion: "{application} kann dein Konto dann auf keinem Gerät mehr nutzen. Du kannst es wieder verbinden, indem du dich dort anmeldest.",
		DisconnectConfirm:  "Ja, {application} trennen",
		Disconnected:       "{application} ist getrennt und kann dein Konto nicht mehr nutzen.",

		DeviceTitle:          "Ein Gerät verbinden",
		DeviceCode:           "Code, den dein Gerät zeigt",
		DeviceWrong:          "Mit diesem Code wartet kein Gerät. Vergleich ihn mit dem auf deinem Gerät. Wenn er gleich ist, ist er zu alt oder wurde benutzt: Lass dein Gerät einen neuen zeigen.",
		DeviceCompare:        "Dein Gerät muss genau diesen Code zeigen:",
		DeviceWarning:        "Mach nur weiter, wenn du das selbst gestartet hast, auf einem Gerät, das vor dir steht. Wenn dir jemand diesen Link oder Code geschickt hat, brich ab.",
		DeviceSelfRegistered: "Diese Anwendung hat sich selbst registriert. Niemand bei {host} hat geprüft, wer dahintersteht und ob der Name ihr eigener ist.",
		DeviceAllowedTitle:   "{application} ist verbunden",
		DeviceAllowed:        "{application} kann jetzt dein Konto bei {host} nutzen. Geh zurück zu deinem Gerät. Du kannst diese Seite schließen.",
		DeviceDeniedTitle:    "Nichts wurde erlaubt",
		DeviceDenied:         "{application} hat keinen Zugriff auf dein Konto bei {host} bekommen. Du kannst diese Seite schließen.",
	}
}

// AcceptLanguage returns a Config.Texts that chooses by what the visitor's
// browser asks for (RFC 9110 section 12.5.4), and the first of the texts where
// none fits:
//
//	Texts: provider.AcceptLanguage(provider.English(), provider.German()),
//
// A host that knows the language of its visitors writes its own function.
// AcceptLanguage panics if it gets no texts.
func AcceptLanguage(texts ...Texts) func(*http.Request) Texts {
	if len(texts) == 0 {
		panic("provider: AcceptLanguage: there are no texts to choose from")
	}
	texts = slices.Clone(texts)
	return func(r *http.Request) Texts {
		for _, wanted := range acceptedLanguages(r.Header.Get("Accept-Language")) {
			for _, t := range texts {
				if matchesLanguage(wanted, t.Language) {
					return t
				}
			}
		}
		return texts[0]
	}
}

// acceptedLanguages returns the language ranges of the header, most wanted
// first. What cannot be read is left out.
func acceptedLanguages(header string) []string {
	type weighted struct {
		tag     string
		quality float64
	}
	var ranges []weighted
	for _, part := range strings.Split(header[:min(len(header), 1000)], ",") {
		tag, parameter, _ := strings.Cut(part, ";")
		quality := 1.0
		if text, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameter)), "q="); ok {
			var err error
			if quality, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		if tag = strings.TrimSpace(tag); tag != "" && quality > 0 {
			ranges = append(ranges, weighted{tag, quality})
		}
	}
	slices.SortStableFunc(ranges, func(a, b weighted) int { return cmp.Compare(b.quality, a.quality) })
	tags := make([]string, len(ranges))
	for i, r := range ranges {
		tags[i] = r.tag
	}
	return tags
}

// matchesLanguage reports whether somebody who reads wanted can read have:
// "de-AT" gets "de", and "pt" gets "pt-BR".
func matchesLanguage(wanted, have string) bool {
	wanted, have = strings.ToLower(wanted), strings.ToLower(have)
	return wanted == have || strings.HasPrefix(wanted, have+"-") || strings.HasPrefix(have, wanted+"-")
}

// texts are those for a visitor, complete.
func (p *Provider) texts(r *http.Request) Texts {
	if p.cfg.Texts == nil {
		return English()
	}
	chosen, english := p.cfg.Texts(r), English()
	to, from := reflect.ValueOf(&chosen).Elem(), reflect.ValueOf(english)
	for i := range to.NumField() {
		if field := to.Field(i); field.Kind() == reflect.String && field.Len() == 0 {
			field.Set(from.Field(i))
		}
	}
	if chosen.Direction != "rtl" {
		chosen.Direction = "ltr"
	}
	return chosen
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

// scope is the sentence that stands for a scope.
func (t Texts) scope(name, title string) string {
	return cmp.Or(t.Scopes[name], title)
}
