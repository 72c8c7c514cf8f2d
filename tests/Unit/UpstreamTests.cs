using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text;
using System.Text.Json;
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

    [Theory]
    [InlineData("0", 0)]
    [InlineData("7", 7)]
    [InlineData("601", 600)]
    [InlineData("Fri, 01 Jan 2027 00:00:30 GMT", 30)]
    [InlineData("Thu, 31 Dec 2026 00:00:00 GMT", 0)]
    [InlineData("Sat, 02 Jan 2027 00:00:00 GMT", 600)]
    [InlineData("soon", null)]
    [InlineData("-1", null)]
    [InlineData(null, null)]
    public void Retry_after_is_read_as_seconds_or_as_a_date_and_is_at_most_ten_minutes(string? header, int? seconds) =>
        RetryAfter.Of(header, DateTimeOffset.Parse("2027-01-01T00:00:00Z", CultureInfo.InvariantCulture))
            .ShouldBe(seconds is { } s ? TimeSpan.FromSeconds(s) : null);

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

    [Fact]
    public void Queues_and_tiers_are_validated()
    {
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Queues = { "a b" } }.Problem.ShouldStartWith("Queues");
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Tiers = { -1 } }.Problem.ShouldStartWith("Tiers");
        new UpstreamOptions { Endpoint = "/v1/x", BaseUrl = "http://h", Queues = { "a-b" }, Tiers = { 2, 0 } }.Problem.ShouldBeNull();
    }
}
