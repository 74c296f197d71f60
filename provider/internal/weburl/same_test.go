package weburl

import "testing"

func TestSame(t *testing.T) {
	for text, others := range map[string][]string{
		"https://api.example.com/mcp": {
			"https://api.example.com/mcp", "https://api.example.com/mcp/", "https://api.example.com/mcp?x=1", "https://api.example.com/mcp/?", "HTTPS://API.Example.COM/mcp",
			"https://api.example.com:443/mcp", "https://api.example.com:/mcp", "https://api.example.com/%6Dcp", "https://api.example.com/./mcp", "https://api.example.com/x/../mcp/.",
			"https://api.example.com/%2e/mcp", "https://api.example.com/../mcp", "https://api.example.com/x/%2E%2E/mcp",
		},
		"https://api.example.com":        {"https://api.example.com/", "https://api.example.com?", "https://api.example.com/a/..", "https://API.example.com:443"},
		"http://localhost:8080/a%2fb":    {"http://localhost:8080/a%2Fb", "http://LOCALHOST:8080/a%2Fb/"},
		"http://localhost/":              {"http://localhost:80"},
		"https://api.example.com/a/b%20": {"https://api.example.com/a/c/../b%20/"},
	} {
		for _, other := range others {
			if !Same(text, other) || !Same(other, text) {
				t.Errorf("%q and %q differ", text, other)
			}
		}
	}
	for _, other := range []string{
		"", "mcp", "/mcp", "//api.example.com/mcp", "urn:mcp", "https:api.example.com/mcp", "http://api.example.com/mcp", "https://api.example.com", "https://api.example.com/MCP",
		"https://api.example.com/mcp//", "https://api.example.com//mcp", "https://api.example.com/mcp//.", "https://api.example.com/mcp/x", "https://api.example.com/mcpx",
		"https://api.example.com/mcp/..", "https://api.example.com/mcp/../mc", "https://api.example.com/mcp%2f", "https://api.example.com/x%2f..%2fmcp", "https://api.example.com/x/..%2fmcp",
		"https://api.example.com/mcp%00", "https://api.example.com/mcp%20", "https://api.example.com/mcp ", "https://api.example.com/mcp;x", "https://api.example.com/%256Dcp",
		"https://api.example.com\\mcp", "https://api.example.com/x\\..\\mcp", "https://api.example.com:80/mcp", "https://api.example.com:8443/mcp", "https://api.example.com:0443/mcp",
		"https://api.example.com./mcp", "https://api.example.com.evil.example/mcp", "https://evil.example/mcp", "https://evil.example/https://api.example.com/mcp", "https://ap\u0456.example.com/mcp",
		"https://api.example.com/mcp#", "https://api.example.com/mcp#x", "https://api.example.com/mcp?#", "https://u@api.example.com/mcp", "https://@api.example.com/mcp", "https://api.example.com@evil.example/mcp",
		"wss://api.example.com/mcp", "https://api.example.com/%zzmcp", "https://[::1]/mcp",
	} {
		if Same("https://api.example.com/mcp", other) {
			t.Errorf("%q passes", other)
		}
	}
}

// Equal URLs have the same host, for every parser.
func FuzzSame(f *testing.F) {
	for _, seed := range []string{"https://a.example/b", "https://a.example/b/../b", "https://a.example:443/%62", "https://a.example@evil.example/b", "https://a.example/%2e%2e/b", "%", "https://a.example/b%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		normal, ok := normalize(text)
		if !ok {
			return
		}
		if again, ok := normalize(normal); !ok || again != normal && again+"/" != normal {
			t.Errorf("%q is %q and then %q", text, normal, again)
		}
	})
}
