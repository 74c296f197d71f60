package peers

import (
	"reflect"
	"time"

	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/store"
	"github.com/ory/fosite"
	"github.com/tidwall/buntdb"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/benchtest/simulate"
)

// Simulated has this library's provider and others, with the settings that
// matter to clients that present old refresh tokens. All issue access tokens
// for 2 hours and refresh tokens for 72.
var Simulated = []simulate.Contender{
	simulate.Latchkey("public client, grace of 30 seconds (the default)", true, provider.Lifetimes{}),
	simulate.Latchkey("public client, grace of 10 minutes", true, provider.Lifetimes{Grace: 10 * time.Minute}),
	simulate.Latchkey("confidential client, grace of 6 hours", false, provider.Lifetimes{Grace: 6 * time.Hour}),
	simulate.Latchkey("confidential client, grace of 24 hours", false, provider.Lifetimes{Grace: 24 * time.Hour}),
	simulatedGoOAuth2("the default: refresh tokens end 72 hours after the sign-in", *manage.DefaultRefreshTokenCfg),
	simulatedGoOAuth2("`IsResetRefreshTime`: they end 72 hours after they were issued", manage.RefreshingConfig{
		IsGenerateRefresh: true, IsRemoveAccess: true, IsRemoveRefreshing: true, IsResetRefreshTime: true}),
	simulatedGoOAuth2("`IsResetRefreshTime`, and no `IsRemoveRefreshing`: a spent one stays good", manage.RefreshingConfig{
		IsGenerateRefresh: true, IsRemoveAccess: true, IsResetRefreshTime: true}),
	{Name: "fosite 0.49.0", Settings: "public client; a grace is left to the store, and its memory store has none", Make: simulatedFosite},
}

// A Behavior is a way in which clients use this library's provider.
type Behavior struct {
	Name   string
	Access time.Duration // the lifetime of access tokens; 0 means the default
	Model  func(m *simulate.Model)
}

// Behaviors has the one that is simulated for all providers first.
var Behaviors = []Behavior{
	{"eight processes, as above", 0, func(*simulate.Model) {}},
	{"the same, and access tokens of 15 minutes", 15 * time.Minute, func(*simulate.Model) {}},
	{"each reads the file just before it refreshes", 0, func(m *simulate.Model) { m.Memory = 0 }},
	{"that, and sends a lost request again after 5 seconds", 0, func(m *simulate.Model) { m.Memory, m.Retry = 0, 5*time.Second }},
	{"both, and access tokens of 15 minutes", 15 * time.Minute, func(m *simulate.Model) { m.Memory, m.Retry = 0, 5*time.Second }},
	{"one process, which sends a lost request at its next wake", 0, func(m *simulate.Model) { m.Processes = 1 }},
}

func simulatedGoOAuth2(settings string, refresh manage.RefreshingConfig) simulate.Contender {
	return simulate.Contender{Name: "go-oauth2 4.5.4", Settings: settings, Make: func() (*simulate.Server, error) {
		tokens, err := store.NewMemoryTokenStore()
		if err != nil {
			return nil, err
		}
		stack, err := goOAuth2Stack(tokens, &refresh)
		if err != nil {
			return nil, err
		}
		// There is no method that returns its database.
		field := reflect.ValueOf(tokens).Elem().FieldByName("db")
		database := *(**buntdb.DB)(field.Addr().UnsafePointer())
		return &simulate.Server{
			Stack: stack,
			Copy: func() (found []string, err error) {
				return found, database.View(func(tx *buntdb.Tx) error {
					return tx.Ascend("", func(key, value string) bool {
						found = append(found, simulate.Texts([]string{key, value})...)
						return true
					})
				})
			},
			Close: func() error {
				defer time.Sleep(2 * time.Second) // Its goroutine checks once a second whether it is closed.
				return database.Close()
			},
		}, nil
	}}
}

func simulatedFosite() (*simulate.Server, error) {
	config, kept := fositeConfig(), newFositeStorage()
	config.AccessTokenLifespan, config.RefreshTokenLifespan = 2*time.Hour, 72*time.Hour
	stack, err := fositeStack(config, kept, &fosite.DefaultClient{ID: clientID, Public: true})
	if err != nil {
		return nil, err
	}
	stack.Name = "fosite"
	return &simulate.Server{Stack: stack, Copy: func() ([]string, error) { return simulate.Texts(kept.MemoryStore), nil }}, nil
}
