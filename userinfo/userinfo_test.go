package userinfo_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

var ada = userinfo.User{
	ID: "user_1", Email: "ada@example.com", EmailVerified: true,
	Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace", Username: "ada", Picture: "https://example.com/ada.png",
	PublicMetadata:  map[string]any{"plan": "pro"},
	PrivateMetadata: map[string]any{"crm": 7},
	UnsafeMetadata:  map[string]any{"theme": "dark"},
}

func TestDocumentIsCutToTheGrantedScopes(t *testing.T) {
	const always = `"object":"oauth_user_info","instance_id":"ins_1","user_id":"user_1","sub":"user_1"`
	const profile = `,"name":"Ada Lovelace","given_name":"Ada","family_name":"Lovelace","username":"ada","preferred_username":"ada","picture":"https://example.com/ada.png"`
	const email = `,"email":"ada@example.com","email_verified":true`
	for _, tt := range []struct {
		name    string
		user    userinfo.User
		granted scopes.Set
		want    string
	}{
		{"nothing granted", ada, nil, `{` + always + `}`},
		{"an unknown scope reveals nothing", ada, scopes.New("notes:read", "openid"), `{` + always + `}`},
		{"profile", ada, scopes.New("profile"), `{` + always + profile + `}`},
		{"email", ada, scopes.New("email"), `{` + always + email + `}`},
		{"public metadata brings unsafe metadata", ada, scopes.New("public_metadata"),
			`{` + always + `,"public_metadata":{"plan":"pro"},"unsafe_metadata":{"theme":"dark"}}`},
		{"private metadata", ada, scopes.New("private_metadata"), `{` + always + `,"private_metadata":{"crm":7}}`},
		{"everything", ada, scopes.New("profile", "email", "public_metadata", "private_metadata"),
			`{` + always + email + profile + `,"public_metadata":{"plan":"pro"},"private_metadata":{"crm":7},"unsafe_metadata":{"theme":"dark"}}`},
		{"unknown fields are absent", userinfo.User{ID: "user_1"}, scopes.New("profile", "email"), `{` + always + `}`},
		{"an unverified address says so", userinfo.User{ID: "user_1", Email: "a@b.c"}, scopes.New("email"),
			`{` + always + `,"email":"a@b.c","email_verified":false}`},
		{"granted metadata that is nil is an empty object", userinfo.User{ID: "user_1"}, scopes.New("public_metadata", "private_metadata"),
			`{` + always + `,"public_metadata":{},"private_metadata":{},"unsafe_metadata":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.user.Document("ins_1", tt.granted))
			require.NoError(t, err)
			require.JSONEq(t, tt.want, string(got))
		})
	}
}

func ExampleUser_Document() {
	user := userinfo.User{ID: "user_1", Name: "Ada Lovelace", Email: "ada@example.com"}
	document, err := json.MarshalIndent(user.Document("ins_1", scopes.New(scopes.Profile)), "", "  ")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(document))
	// Output:
	// {
	//   "object": "oauth_user_info",
	//   "instance_id": "ins_1",
	//   "user_id": "user_1",
	//   "sub": "user_1",
	//   "name": "Ada Lovelace"
	// }
}
