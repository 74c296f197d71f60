package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
)

// hmacWith returns a JWT whose secret is publicly known.
func hmacWith(alg string, secret []byte) string {
	text := b64(`{"alg":"`+alg+`","kid":"k"}`) + "." + b64(someClaims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// encodings are the forms of a public key that could serve as a secret of HMAC.
func encodings(private any) map[string][]byte {
	pkix, err := x509.MarshalPKIXPublicKey(public(private))
	if err != nil {
		panic(err)
	}
	all := map[string][]byte{
		"DER": pkix, "JWK": []byte(jwk(private, "k")), "set": setOf(jwk(private, "k")),
		"PEM":                 pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix}),
		"PEM without its end": []byte(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})))),
	}
	switch key := public(private).(type) {
	case *rsa.PublicKey:
		all["PKCS #1"] = x509.MarshalPKCS1PublicKey(key)
		all["n"] = key.N.Bytes()
	case *ecdsa.PublicKey:
		all["x"] = key.X.Bytes()
		all["point"] = elliptic.Marshal(key.Curve, key.X, key.Y) //nolint:staticcheck // Likewise.
	}
	return all
}

type attack struct {
	set   []byte
	token string
	known bool
	want  string
}

var attacks = sync.OnceValue(func() map[string]attack {
	k := own()
	ec, rsaSet := setOf(jwk(k.ec, "k")), setOf(jwk(k.rsa, "k"))
	good := signed(jose.ES256, k.ec, "k")
	parts := strings.Split(good, ".")
	header := func(text string) string { return handmade(k.ec, text, someClaims) }
	payload := func(text string) string { return handmade(k.ec, `{"alg":"ES256","kid":"k"}`, text) }
	jws, err := jose.ParseSignedCompact(good, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		panic(err)
	}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: &k.rsa.PublicKey}, nil)
	if err != nil {
		panic(err)
	}
	jwe, err := encrypter.Encrypt([]byte(someClaims))
	if err != nil {
		panic(err)
	}
	encrypted, err := jwe.CompactSerialize()
	if err != nil {
		panic(err)
	}
	// Another spelling of the last character, whose last bits are unused.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1])
	twin := good[:len(good)-1] + string(alphabet[last^1])
	offCurve := `{"kty":"EC","crv":"P-256","kid":"k","x":"` + b64(strings.Repeat("x", 32)) + `","y":"` + b64(strings.Repeat("y", 32)) + `"}`

	all := map[string]attack{
		"kid of another key":           {setOf(jwk(k.ec, "k"), jwk(k.ec2, "2")), signed(jose.ES256, k.ec2, "k"), true, "signature"},
		"kid of no key":                {ec, signed(jose.ES256, k.ec, "other"), false, "no key with the kid \"other\""},
		"kid that is a path":           {ec, signed(jose.ES256, k.ec, "../../etc/passwd"), false, "no key with the kid"},
		"kid that is SQL":              {ec, signed(jose.ES256, k.ec, "' or 1=1 --"), false, "no key with the kid"},
		"kid that isn't a string":      {ec, header(`{"alg":"ES256","kid":["k"]}`), true, "wrong type"},
		"two keys with the same kid":   {setOf(jwk(k.ec, "k"), jwk(k.ec2, "k")), good, true, "2 keys"},
		"no kid, two keys that fit":    {setOf(jwk(k.ec, "1"), jwk(k.ec2, "2")), signed(jose.ES256, k.ec, ""), false, "names no kid"},
		"no kid, no key that fits":     {rsaSet, signed(jose.ES256, k.ec, ""), false, "no key for the alg ES256"},
		"another key":                  {ec, signed(jose.ES256, k.ec2, "k"), true, "signature"},
		"another key, none is named":   {setOf(jwk(k.ec, "")), signed(jose.ES256, k.ec2, ""), false, "signature"},
		"another key of Ed25519":       {setOf(jwk(k.ed, "k")), strings.Replace(handmade(k.ed, `{"alg":"Ed25519","kid":"k"}`, someClaims), "."+b64(someClaims)+".", "."+b64(someClaims+" ")+".", 1), true, "signature"},
		"Ed25519 of an EC key":         {ec, handmade(k.ec, `{"alg":"Ed25519","kid":"k"}`, someClaims), true, "does not verify Ed25519"},
		"another key of RSA":           {rsaSet, signed(jose.RS256, k.rsa2, "k"), true, "signature"},
		"RSA where the key is EC":      {ec, signed(jose.RS256, k.rsa, "k"), true, "does not verify RS256"},
		"ES384 where the key is P-256": {ec, signed(jose.ES384, k.ec384, "k"), true, "does not verify ES384"},
		"PS256 for an RS256 key":       {setOf(jwk(k.rsa, "k", `"alg":"RS256"`)), signed(jose.PS256, k.rsa, "k"), true, "is for the alg \"RS256\""},
		"a key for encryption":         {setOf(jwk(k.ec, "k", `"use":"enc"`)), good, true, "has the use \"enc\""},
		"a key that does not verify":   {setOf(jwk(k.ec, "k", `"key_ops":["deriveKey"]`)), good, true, "key_ops"},
		"a private key in the set":     {setOf(jwk(k.ec, "k", `"d":"AAAA"`)), good, true, "private"},
		"a symmetric key in the set":   {setOf(`{"kty":"oct","k":"c2VjcmV0","kid":"k"}`), hmacWith("HS256", []byte("secret")), true, `alg of the JWT is "HS256"`},
		"a small RSA key":              {setOf(jwk(k.small, "k")), signed(jose.RS256, k.small, "k"), true, "1024 bits"},
		"a huge RSA key":               {setOf(`{"kty":"RSA","kid":"k","e":"AQAB","n":"` + strings.Repeat("_", 4096/6+2) + `"}`), signed(jose.RS256, k.rsa, "k"), true, "more than 4096 bits"},
		"an RSA key whose e is 1":      {setOf(`{"kty":"RSA","kid":"k","e":"AQ","n":"` + strings.Repeat("_", 400) + `"}`), signed(jose.RS256, k.rsa, "k"), true, "e value"},
		"an RSA key whose e is even":   {setOf(`{"kty":"RSA","kid":"k","e":"BA","n":"` + strings.Repeat("_", 400) + `"}`), signed(jose.RS256, k.rsa, "k"), true, "is invalid"},
		"an RSA key whose e is huge":   {setOf(`{"kty":"RSA","kid":"k","e":"f________w","n":"` + strings.Repeat("_", 400) + `"}`), signed(jose.RS256, k.rsa, "k"), true, "is invalid"},
		"a point off the curve":        {setOf(offCurve), good, true, "not on declared curve"},

		"embedded jwk":              {ec, signed(jose.ES256, k.ec2, "k", "jwk", jose.JSONWebKey{Key: k.ec2.Public(), KeyID: "k"}), true, `"jwk", which is not accepted`},
		"embedded jwk of the key":   {ec, signed(jose.ES256, k.ec, "k", "jwk", jose.JSONWebKey{Key: k.ec.Public()}), true, `"jwk", which is not accepted`},
		"jku":                       {ec, signed(jose.ES256, k.ec2, "k", "jku", "https://evil.example.com/jwks"), true, "signature"},
		"x5u":                       {ec, signed(jose.ES256, k.ec2, "k", "x5u", "https://evil.example.com/pem"), true, "signature"},
		"crit":                      {ec, signed(jose.ES256, k.ec, "k", "crit", []string{"exp"}, "exp", 1), true, `"crit", which is not accepted`},
		"empty crit":                {ec, header(`{"alg":"ES256","kid":"k","crit":[]}`), true, `"crit", which is not accepted`},
		"b64 false":                 {ec, header(`{"alg":"ES256","kid":"k","b64":false}`), true, `"b64", which is not accepted`},
		"zip":                       {ec, signed(jose.ES256, k.ec, "k", "zip", "DEF"), true, `"zip", which is not accepted`},
		"enc":                       {ec, signed(jose.ES256, k.ec, "k", "enc", "A256GCM"), true, `"enc", which is not accepted`},
		"a JWT in a JWT":            {ec, signed(jose.ES256, k.ec, "k", "cty", "JWT"), true, "nested JWTs"},
		"typ of an access token":    {ec, signed(jose.ES256, k.ec, "k", "typ", "at+jwt"), true, `typ of the JWT is "at+jwt"`},
		"typ of a DPoP proof":       {ec, signed(jose.ES256, k.ec, "k", "typ", "dpop+jwt"), true, "typ of the JWT"},
		"typ of a logout token":     {ec, signed(jose.ES256, k.ec, "k", "typ", "logout+jwt"), true, "typ of the JWT"},
		"typ of a request object":   {ec, signed(jose.ES256, k.ec, "k", "typ", "oauth-authz-req+jwt"), true, "typ of the JWT"},
		"typ that is empty":         {ec, signed(jose.ES256, k.ec, "k", "typ", ""), true, "typ of the JWT"},
		"typ that isn't a string":   {ec, header(`{"alg":"ES256","kid":"k","typ":7}`), true, "wrong type"},
		"no alg":                    {ec, header(`{"kid":"k"}`), true, `alg of the JWT is ""`},
		"two algs":                  {ec, header(`{"alg":"none","alg":"ES256","kid":"k"}`), true, "duplicate member"},
		"two algs, one is escaped":  {ec, header(`{"alg":"none","\u0061lg":"ES256","kid":"k"}`), true, "duplicate member"},
		"alg in capitals":           {ec, header(`{"ALG":"ES256","kid":"k"}`), true, `alg of the JWT is ""`},
		"alg es256":                 {ec, header(`{"alg":"es256","kid":"k"}`), true, `alg of the JWT is "es256"`},
		"no header":                 {ec, "." + parts[1] + "." + parts[2], true, "header"},
		"a header that is a list":   {ec, header(`["ES256"]`), true, "not a JSON object"},
		"a header that is null":     {ec, header(`null`), true, "not a JSON object"},
		"a header with more behind": {ec, header(`{"alg":"ES256","kid":"k"}{}`), true, "not a JSON object"},
		"a huge header":             {ec, header(`{"alg":"ES256","kid":"k","x":"` + strings.Repeat("x", 8<<10) + `"}`), true, "the maximum is 8192"},
		"a header of many members":  {ec, header(`{"alg":"ES256","kid":"k"` + many(5000, `,"%d":1`) + `}`), true, "the maximum is 8192"},
		"a deep header":             {ec, header(`{"alg":"ES256","kid":"k","x":` + strings.Repeat("[", 5000) + `}`), true, "not a JSON object"},
		"a huge kid":                {ec, signed(jose.ES256, k.ec, strings.Repeat("k", 5000)), false, "no key with the kid"},

		"a million members":           {ec, payload(`{"a":1` + strings.Repeat(`,"a":1`, 1000000) + `}`), true, "the maximum is 8192"},
		"claims that are a list":      {ec, payload(`[]`), true, "not a JSON object"},
		"claims that are empty":       {ec, payload(``), true, "not a JSON object"},
		"claims with two sub":         {ec, payload(`{"sub":"me","sub":"you"}`), true, "duplicate member"},
		"claims with two sub, deeper": {ec, payload(`{"a":{"sub":"me","sub":"you"}}`), true, "duplicate member"},
		"claims with more behind":     {ec, payload(someClaims + `{}`), true, "not a JSON object"},
		"deep claims":                 {ec, payload(`{"a":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `}`), true, "the maximum is 8192"},
		"changed claims":              {ec, parts[0] + "." + b64(strings.Replace(someClaims, "client_1", "client_2", 1)) + "." + parts[2], true, "signature"},

		"no signature":              {ec, parts[0] + "." + parts[1] + ".", true, "no signature"},
		"half a signature":          {ec, good[:len(good)-44], true, ""},
		"a signature of zeros":      {ec, parts[0] + "." + parts[1] + "." + b64(string(make([]byte, 64))), true, "signature"},
		"a signature in ASN.1":      {ec, parts[0] + "." + parts[1] + "." + asn1Signature(k.ec, parts[0]+"."+parts[1]), true, "signature"},
		"another form of base64url": {ec, twin, true, "not in base64url"},
		"padding":                   {ec, good + "==", true, "not in base64url"},
		"plain base64":              {ec, signText(k.ec, b64(`{"alg":"ES256","kid":"k"}`)+"."+base64.RawStdEncoding.EncodeToString([]byte(`{"a":"???>>>"}`))), true, "not in base64url"},
		"a line break":              {ec, parts[0] + "." + parts[1][:4] + "\n" + parts[1][4:] + "." + parts[2], true, "not in base64url"},
		"a line break at the end":   {ec, good + "\n", true, "not in base64url"},
		"a space in front":          {ec, " " + good, true, "not in base64url"},
		"data behind":               {ec, good + ".", true, "4 parts"},
		"one part":                  {ec, parts[0], true, "1 parts"},
		"nothing":                   {ec, "", true, "empty"},
		"dots":                      {ec, "..", true, "no signature"},
		"a million dots":            {ec, strings.Repeat(".", 1000000), true, "the maximum is 8192"},
		"JSON serialization":        {ec, jws.FullSerialize(), true, "JSON serialization"},
		"JSON, general":             {ec, `{"payload":"` + parts[1] + `","signatures":[{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}]}`, true, "JSON serialization"},
		"encrypted":                 {rsaSet, encrypted, true, "encrypted"},

		"no set":              {nil, good, false, "JWK Set"},
		"a set that is a key": {[]byte(jwk(k.ec, "k")), good, false, `has no "keys"`},
		"a huge set":          {append(ec, make([]byte, 64<<10)...), good, false, "the maximum is 65536"},
		"a set of many keys":  {setOf(strings.Split(strings.TrimPrefix(many(21, ` `+strings.ReplaceAll(jwk(k.ec, "%d"), " ", "")), " "), " ")...), good, false, "the maximum is 20"},
		"a set with two keys": {[]byte(`{"keys":[],"keys":[` + jwk(k.ec, "k") + `]}`), good, false, "duplicate member"},
		"a key with two x":    {setOf(strings.Replace(jwk(k.ec, "k"), `"x":`, `"x":"AAAA","x":`, 1)), good, true, "has a duplicate member"},
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", "", "null"} {
		all["alg "+none+", unsigned"] = attack{ec, b64(`{"alg":"`+none+`","kid":"k"}`) + "." + b64(someClaims) + ".", true, ""}
		all["alg "+none+", signed"] = attack{ec, handmade(k.ec, `{"alg":"`+none+`","kid":"k"}`, someClaims), true, "alg of the JWT"}
	}
	for name, private := range map[string]any{"RSA": k.rsa, "EC": k.ec, "EdDSA": k.ed} {
		for encoding, secret := range encodings(private) {
			for _, alg := range []string{"HS256", "hs256"} {
				all[alg+" with the "+name+" key as secret, as "+encoding] = attack{setOf(jwk(private, "k")), hmacWith(alg, secret), true, "alg of the JWT"}
			}
			// The same, for a verifier that trusts the key's alg.
			all["HS256 with the "+name+" key as secret, and its alg, as "+encoding] = attack{setOf(jwk(private, "k", `"alg":"HS256"`)), hmacWith("HS256", secret), true, "alg of the JWT"}
		}
	}
	return all
})

func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func asn1Signature(private *ecdsa.PrivateKey, text string) string {
	digest := sha256.Sum256([]byte(text))
	signature, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(signature)
}

func TestHostileClients(t *testing.T) {
	for name, tt := range attacks() {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			claims, known, err := checker.VerifyClient(tt.set, tt.token)
			require.Error(t, err)
			require.Empty(t, claims)
			require.Equal(t, tt.known, known, err)
			require.ErrorContains(t, err, tt.want)
			require.Less(t, time.Since(began), 5*time.Second)
			require.Less(t, len(err.Error()), 500)
			for part := range strings.SplitSeq(tt.token, ".") {
				require.False(t, len(part) > 20 && strings.Contains(err.Error(), part), "the error has the JWT: %s", err)
			}
			require.NotContains(t, err.Error(), "client_1")
		})
	}
}

// The attacks on Latchkey's own tokens are the same.
func TestVerifyRefusesHostileTokens(t *testing.T) {
	k := deploy(t).start()
	for name, tt := range attacks() {
		_, err := k.Verify(ctx, tt.token)
		require.Error(t, err, name)
	}
	id := kid(t, sign(t, k, keys.ES256))
	for name, token := range map[string]string{
		"our kid and another key":       handmade(own().ec, `{"alg":"ES256","kid":"`+id+`","typ":"JWT"}`, someClaims),
		"our kid and another algorithm": handmade(own().rsa, `{"alg":"RS256","kid":"`+id+`","typ":"JWT"}`, someClaims),
		"no kid":                        handmade(own().ec, `{"alg":"ES256","typ":"JWT"}`, someClaims),
		"no typ":                        handmade(own().ec, `{"alg":"ES256","kid":"`+id+`"}`, someClaims),
		"HS256 with what we publish":    hmacWith("HS256", mustSet(k)),
	} {
		_, err := k.Verify(ctx, token)
		require.Error(t, err, name)
	}
}

// A key signs only JWTs of one typ and one alg here. A JWT that it signed for
// another purpose, such as in a shared KMS, is refused.
func TestVerifyRefusesWhatOurKeyHasSignedElsewhere(t *testing.T) {
	own := own()
	k, err := keys.Static(own.rsa, own.ec)
	require.NoError(t, err)
	ids := []string{kid(t, sign(t, k, keys.RS256)), kid(t, sign(t, k, keys.ES256))}
	_, err = k.Verify(ctx, signed(jose.ES256, own.ec, ids[1], "typ", "JWT"))
	require.NoError(t, err)
	for name, tt := range map[string]struct{ token, want string }{
		"another alg": {signed(jose.PS256, own.rsa, ids[0], "typ", "JWT"), "signs with RS256 only"},
		"another typ": {signed(jose.ES256, own.ec, ids[1], "typ", "at+jwt"), "typ"},
		"typ jwt":     {signed(jose.ES256, own.ec, ids[1], "typ", "jwt"), "typ"},
		"no typ":      {signed(jose.ES256, own.ec, ids[1]), "typ"},
		"no kid":      {signed(jose.ES256, own.ec, "", "typ", "JWT"), "kid"},
		"another kid": {signed(jose.ES256, own.ec, ids[0], "typ", "JWT"), "signs with RS256 only"},
		"crit":        {signed(jose.ES256, own.ec, ids[1], "typ", "JWT", "crit", []string{"b64"}), "crit"},
	} {
		_, err := k.Verify(ctx, tt.token)
		require.ErrorContains(t, err, tt.want, name)
	}
}

func mustSet(k *keys.Keys) []byte {
	set, _, err := k.PublicKeys(ctx)
	if err != nil {
		panic(err)
	}
	return set
}
