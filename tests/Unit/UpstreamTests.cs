using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Consumers.Upstreams;
using TaskQueue.Engine;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Requests to an upstream, and the outcomes of its responses.</summary>
public sealed class UpstreamTests
{
    [Theory]
    [InlineData("http://host", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("http://host/", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("http://host/v1", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("http://host/v1/", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("https://host:8443/api/v1", "/v1/embeddings", "https://host:8443/api/v1/embeddings")]
    [InlineData("http://host/v1/chat", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("http://host/v1/chat/completions", "/v1/chat/completions", "http://host/v1/chat/completions")]
    [InlineData("http://host/v1", "/v10/x", "http://host/v1/v10/x")]
    [InlineData("http://host/av1", "/v1/x", "http://host/av1/v1/x")]
    [InlineData("http://host/v2", "/v1/x", "http://host/v2/v1/x")]
    [InlineData("http://host/v1", "/chat/v1", "http://host/v1/chat/v1")]
    public void The_endpoint_follows_the_base_url_and_what_they_share_is_written_once(string baseUrl, string endpoint, string url) =>
        Upstream.Join(new Uri(baseUrl), endpoint).AbsoluteUri.ShouldBe(url);

    [Fact]
    public void Only_endpoints_configured_for_the_server_are_called()
    {
        var chat = new UpstreamOptions { Endpoint = "/v1/chat/completions", BaseUrl = "http://host/v1" };
        var embeddings = new UpstreamOptions { Endpoint = "/v1/embeddings", BaseUrl = "http://host/v1" };
        var other = new UpstreamOptions { Endpoint = "/v1/images", BaseUrl = "http://other" };
        var upstream = new Upstream(chat, [chat, embeddings, other], TimeProvider.System);

        upstream.UrlOf(null)!.AbsoluteUri.ShouldBe("http://host/v1/chat/completions");
        upstream.UrlOf("/v1/embeddings")!.AbsoluteUri.ShouldBe("http://host/v1/embeddings");
        upstream.UrlOf("/v1/images").ShouldBeNull();
        upstream.UrlOf("/v1/chat/completions/../../admin").ShouldBeNull();
    }

    [Fact]
    public async Task A_model_that_nobody_asks_for_any_more_does_not_count()
    {
        var (upstream, time) = Timed();
        upstream.PaceOf("unknown");
        var pace = upstream.PaceOf("m");
        pace.Refused(await pace.EnterAsync(TimeSpan.MaxValue, null, default), TimeSpan.FromMinutes(5), isThrottled: true, "429", 0.5);
        (upstream.IsPaused, upstream.HasModels).ShouldBe((false, true));

        time.Advance(TimeSpan.FromSeconds(61));
        upstream.PaceOf("m").ShouldBeSameAs(pace);

        (upstream.IsPaused, upstream.HasModels).ShouldBe((true, false));
        upstream.ClosedFor("m").ShouldBe(TimeSpan.FromSeconds(239));
        upstream.ClosedFor("unknown").ShouldBe(TimeSpan.Zero);
        upstream.ClosedFor(null).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void Models_that_nobody_asks_for_make_room_for_others()
    {
        var (upstream, time) = Timed();
        for (var n = 0; n < 1000; n++)
            upstream.PaceOf($"m{n}");
        upstream.PaceOf("a").ShouldBeSameAs(upstream.PaceOf("b"));

        time.Advance(TimeSpan.FromSeconds(61));

        upstream.PaceOf("a").ShouldNotBeSameAs(upstream.PaceOf("b"));
    }

    [Theory]
    [InlineData("0", 0.0)]
    [InlineData("7", 7.0)]
    [InlineData("601", 600.0)]
    [InlineData("Fri, 01 Jan 2027 00:00:30 GMT", 30.0)]
    [InlineData("Thu, 31 Dec 2026 00:00:00 GMT", 0.0)]
    [InlineData("Sat, 02 Jan 2027 00:00:00 GMT", 600.0)]
    [InlineData("1.5", 1.5)]
    [InlineData("1e3", null)]
    [InlineData("soon", null)]
    [InlineData("-1", null)]
    [InlineData(null, null)]
    public void Retry_after_is_read_as_seconds_or_as_a_date_and_is_at_most_ten_minutes(string? header, double? seconds) =>
        RetryAfter.Of(header, DateTimeOffset.Parse("2027-01-01T00:00:00Z", CultureInfo.InvariantCulture))
            .ShouldBe(seconds is { } s ? TimeSpan.FromSeconds(s) : null);

    [Theory]
    [InlineData("2", "250", 0.25)]
    [InlineData(null, "1500.5", 1.5005)]
    [InlineData("2", "soon", 2.0)]
    [InlineData(null, "9000000000", 600.0)]
    public void Milliseconds_are_preferred(string? header, string milliseconds, double seconds) =>
        RetryAfter.Of(header, DateTimeOffset.UnixEpoch, milliseconds).ShouldBe(TimeSpan.FromSeconds(seconds));

    [Theory]
    [InlineData(200, """{"a":1}""", 200, """{"a":1}""")]
    [InlineData(200, "<html>hello</html>", 502, "without a JSON object: <html>hello</html>")]
    [InlineData(200, "null", 502, "without a JSON object: null")]
    [InlineData(200, "[1]", 502, "without a JSON object: [1]")]
    [InlineData(204, "", 502, "without a JSON object")]
    [InlineData(400, """{"error":{"message":"no"}}""", 400, """{"error":{"message":"no"}}""")]
    [InlineData(404, "Not here", 404, "\"message\":\"Not here\"")]
    [InlineData(500, "", 500, "answered 500 without a body")]
    public void The_answer_to_a_batch_item_is_a_JSON_object_or_an_error(int status, string body, int shown, string text)
    {
        var answer = UpstreamAnswer.OfItem(status, Encoding.UTF8.GetBytes(body));

        answer.Status.ShouldBe(shown);
        answer.Body.ShouldContain(text);
        JsonDocument.Parse(answer.Body).RootElement.ValueKind.ShouldBe(JsonValueKind.Object);
    }

    [Theory]
    [InlineData("""{"model":"m"}""", "m")]
    [InlineData("""{"messages":[{"model":"inner"}],"x":{"model":"inner"},"model":"m"}""", "m")]
    [InlineData("""{"model":1}""", null)]
    [InlineData("""{"model":""}""", null)]
    [InlineData("{}", null)]
    [InlineData("[]", null)]
    [InlineData("oops", null)]
    public void The_model_of_a_request_is_found(string payload, string? model) =>
        new OutgoingRequest(new Uri("http://h"), Encoding.UTF8.GetBytes(payload), "r", null, null).FindModel().ShouldBe(model);

    [Theory]
    [InlineData(0, 0.75, 1.25)]
    [InlineData(1, 1.5, 2.5)]
    [InlineData(4, 12, 20)]
    [InlineData(6, 45, 75)]
    [InlineData(999, 45, 75)]
    public void Waits_double_up_to_a_minute_and_vary_by_a_quarter(int retries, double least, double most)
    {
        RetryWaits.Backoff(retries, 0).ShouldBe(TimeSpan.FromSeconds(least));
        RetryWaits.Backoff(retries, 1).ShouldBe(TimeSpan.FromSeconds(most));
    }

    [Theory]
    [InlineData("""{"a":[1,2]}""", """{"a":[1,2]}""")]
    [InlineData("\uFEFF {\"a\":1}\n", """{"a":1}""")]
    [InlineData("12.50", "12.50")]
    [InlineData("", "{}")]
    [InlineData("Bad \"gateway\"\n", """
        "Bad \"gateway\"\n"
        """)]
    [InlineData("{} {}", "\"{} {}\"")]
    [InlineData("{\"a\":", """
        "{\"a\":"
        """)]
    [InlineData("[DONE]", "\"[DONE]\"")]
    public void A_body_that_is_json_stays_as_it_is_and_other_text_becomes_a_string(string body, string json) =>
        UpstreamAnswer.ToJson(Encoding.UTF8.GetBytes(body)).ShouldBe(json);

    [Theory]
    [InlineData(62, JsonValueKind.Array)]
    [InlineData(63, JsonValueKind.String)]
    public void A_result_with_a_deeply_nested_body_can_be_read(int depth, JsonValueKind kind)
    {
        var body = new string('[', depth) + new string(']', depth);

        var result = new UpstreamAnswer(200, UpstreamAnswer.ToJson(Encoding.UTF8.GetBytes(body))).ToResult("r");

        JsonDocument.Parse(result).RootElement.GetProperty("body").ValueKind.ShouldBe(kind);
    }

    [Fact]
    public void A_result_has_status_request_id_and_body()
    {
        new UpstreamAnswer(201, """{"x":1}""").ToResult("TASK-1\"")
            .ShouldBe("""{"status_code":201,"request_id":"TASK-1\"","body":{"x":1}}""");
        UpstreamAnswer.Error(504, "too \"slow\"").ToResult("t").ShouldBe(
            """{"status_code":504,"request_id":"t","body":{"error":{"message":"too \"slow\"","type":"upstream_error"}}}""");
    }

    [Fact]
    public void The_request_id_is_the_submitters_id()
    {
        var task = TestTasks.New();

        UpstreamAnswer.RequestId(task, """{"status_code":"408","request_id":"TASK-1"}""").ShouldBe("TASK-1");
        UpstreamAnswer.RequestId(task, """{"status_code":"408"}""").ShouldBe(task.CorrelationId.ToString());
        UpstreamAnswer.RequestId(task, null).ShouldBe(task.CorrelationId.ToString());
    }

    [Theory]
    [InlineData("v1/x", "http://h", null, "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("/", "http://h", null, "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("//evil/x", "http://h", null, "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("/v1/../x", "http://h", null, "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("/v1?x", "http://h", null, "TaskQueue:Upstreams:0:Endpoint")]
    [InlineData("/v1", "", null, "TaskQueue:Upstreams:0:BaseUrl")]
    [InlineData("/v1", "ftp://h", null, "TaskQueue:Upstreams:0:BaseUrl")]
    [InlineData("/v1", "/v1", null, "TaskQueue:Upstreams:0:BaseUrl")]
    [InlineData("/v1", "http://user:hunter2@h", null, "TaskQueue:Upstreams:0:BaseUrl")]
    [InlineData("/v1", "http://h", "hunter2\n", "TaskQueue:Upstreams:0:ApiKey")]
    public void Invalid_settings_are_refused_with_their_key_and_without_the_secret(string endpoint, string baseUrl, string? key,
        string named)
    {
        var list = new UpstreamList { Upstreams = { new UpstreamOptions { Endpoint = endpoint, BaseUrl = baseUrl, ApiKey = key } } };

        var problem = list.Validate(new ValidationContext(list)).Single().ErrorMessage!;

        problem.ShouldContain(named);
        problem.ShouldNotContain("hunter2");
    }

    [Theory]
    [InlineData(0, 1, 0, "MaxConcurrency")]
    [InlineData(1001, 1, 0, "MaxConcurrency")]
    [InlineData(1, 0, 0, "TimeoutSeconds")]
    [InlineData(1, 86_401, 0, "TimeoutSeconds")]
    [InlineData(1, 1, -1, "MaxRetries")]
    [InlineData(1, 1, 1001, "MaxRetries")]
    [InlineData(1000, 86_400, 1000, null)]
    public void Numbers_have_limits(int concurrency, int timeout, int retries, string? named)
    {
        var options = new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", MaxConcurrency = concurrency,
            TimeoutSeconds = timeout, MaxRetries = retries };

        (options.Problem?.Split(' ')[0]).ShouldBe(named);
    }

    [Theory]
    [InlineData(0, "Weight must be 1 to 1000")]
    [InlineData(1, null)]
    [InlineData(1000, null)]
    [InlineData(1001, "Weight must be 1 to 1000")]
    public void Weights_have_limits(int weight, string? problem) =>
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Weight = weight }.Problem.ShouldBe(problem);

    [Fact]
    public void Queues_and_tiers_are_validated()
    {
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Queues = { "a b" } }.Problem.ShouldStartWith("Queues");
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Tiers = { -1 } }.Problem.ShouldStartWith("Tiers");
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Queues = { "a-b" }, Tiers = { 2, 0 } }.Problem.ShouldBeNull();
    }

    private static (Upstream Upstream, FakeTimeProvider Time) Timed()
    {
        var time = new FakeTimeProvider();
        var options = new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h" };
        return (new Upstream(options, [options], time), time);
    }
}
