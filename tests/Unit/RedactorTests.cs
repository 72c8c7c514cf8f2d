using Shouldly;
using TaskQueue.Http.Auth;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What is redacted in a text.</summary>
public sealed class RedactorTests
{
    private static readonly Redactor Some = new(["password", "token"]);

    [Theory]
    [InlineData("""{"a":{"Password":{"x":[1,{"y":2}]},"b":1},"PASSWORD":"s"}""", """{"a":{"Password":"***","b":1},"PASSWORD":"***"}""")]
    [InlineData("""[ {"token" : null } , "password" , {"b":"\ud800"}]""", """[ {"token" : "***" } , "password" , {"b":"\ud800"}]""")]
    [InlineData("""{"passwort":1}""", """{"passwort":1}""")]
    [InlineData("not json with a password", "\"***\"")]
    [InlineData("""{"\ud800":1}""", "\"***\"")]
    public void Members_of_JSON_are_hidden_at_any_depth_and_the_rest_is_as_it_was(string json, string shown) =>
        Some.Json(json).ShouldBe(shown);

    [Theory]
    [InlineData("the password was wrong", "the password was wrong")]
    [InlineData("login with password=hunter2 failed", "login with password=*** failed")]
    [InlineData("Password: hunter2, user: ann", "Password: ***, user: ann")]
    [InlineData("body {\"password\":\"a\\\"b\",\"n\":1} refused", "body {\"password\":\"***\",\"n\":1} refused")]
    [InlineData("body {\"password\" : 12345, \"n\":1} refused", "body {\"password\" : ***, \"n\":1} refused")]
    [InlineData("body {\"password\":{\"a\":[\"}\",1]},\"n\":1}", "body {\"password\":***,\"n\":1}")]
    [InlineData("inner: \"{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1}\"", "inner: \"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1}\"")]
    [InlineData("cut off {\"token\":\"abcdef", "cut off {\"token\":\"***")]
    [InlineData("token: Bearer abc.def retried", "token: *** retried")]
    [InlineData("https://h/x?a=1&token=abc&b=2", "https://h/x?a=1&token=***&b=2")]
    [InlineData("{'token': 'abc'}", "{'token': '***'}")]
    [InlineData("my_token=1 tokens=2 token2=3", "my_token=1 tokens=2 token2=3")]
    [InlineData("""{"token":"abc","x":1}""", """{"token":"***","x":1}""")]
    public void Values_of_hidden_members_are_redacted_in_other_texts(string text, string shown)
    {
        Some.Text("description", text).ShouldBe(shown);
        Some.Error(text, null).ShouldBe(shown);
        Redactor.None.Error(text, null).ShouldBe(text);
    }

    [Theory]
    [InlineData("""{"id":"x","data":{"password":"hunter2"}}""", "wrong: hunter2!", "wrong: ***!")]
    [InlineData("""{"password":["alpha","beta",{"c":47110815}],"d":"delta"}""", "alpha beta 47110815 delta", "*** *** *** delta")]
    [InlineData("""{"password":"a\"b c"}""", "wrong: a\"b c or a\\\"b c", "wrong: *** or ***")]
    [InlineData("""{"password":"abc"}""", "abcdef", "abcdef")]
    [InlineData("""{"password":"long","token":"longer"}""", "longer long", "*** ***")]
    [InlineData("secret bytes", "cannot read secret bytes", "cannot read ***")]
    public void Errors_do_not_quote_hidden_values_of_the_payload(string payload, string error, string shown) =>
        Some.Error(error, payload).ShouldBe(shown);

    [Fact]
    public void A_field_can_be_hidden_by_its_name_and_everything_by_a_star()
    {
        new Redactor(["description"]).Text("description", "x").ShouldBe("***");
        new Redactor(["error"]).Error("x", null).ShouldBe("***");
        var all = new Redactor(["*"]);
        (all.Json("1"), all.Text("description", "x"), all.Error("x", "1"), all.Error(null, "1")).ShouldBe(("\"***\"", "***", "***", null));
    }

    [Fact]
    public void Redaction_survives_any_text_and_removes_only_values()
    {
        var random = new Random(7);
        const string Parts = "\"'\\{}[]:=,; \ntoken=password:x";
        for (var i = 0; i < 20_000; i++)
        {
            var text = string.Concat(Enumerable.Range(0, random.Next(30))
                .Select(_ => random.Next(4) == 0 ? "token" : Parts[random.Next(Parts.Length)].ToString()));
            Some.Text("description", text).Replace("***", "", StringComparison.Ordinal).Length.ShouldBeLessThanOrEqualTo(text.Length);
        }
    }
}
