using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>A worker's report of three outcomes, of which the server refuses the second as long as it has its log.</summary>
public sealed class OutcomeReportTests : IDisposable
{
    private readonly List<Attempt> _attempts = Three();
    private readonly Judge _judge = new();
    private readonly ServiceProvider _services;
    private readonly HttpTransport _transport;

    public OutcomeReportTests()
    {
        var services = new ServiceCollection();
        services.AddTaskQueueClient(o => o.BaseAddress = new Uri("http://localhost:1"));
        services.ConfigureTaskQueueHttpClient(http => http.ConfigurePrimaryHttpMessageHandler(() => _judge));
        _services = services.BuildServiceProvider();
        _transport = new HttpTransport(new TaskQueueWorkerOptions(), _services.GetRequiredService<IHttpClientFactory>(),
            TimeProvider.System, NullLogger<HttpTransport>.Instance);
    }

    public void Dispose() => _services.Dispose();

    [Fact]
    public async Task Only_what_the_server_refuses_of_a_report_is_sent_again()
    {
        _judge.Answer = (lines, number) => number == 2 ? (429, "{}")
            : lines.All(l => l.HasLog) ? (400, "{}") : (200, Codes(lines, l => l.HasLog ? "invalid" : "ok"));

        var left = await _transport.ReportAsync(_attempts, CancellationToken.None);
        left.ShouldBe([_attempts[1]]);
        (await _transport.ReportAsync(left, CancellationToken.None)).ShouldBeEmpty();

        Sent().ShouldBe(["0 1+log 2", "1", "1+log", "1"]);
    }

    [Fact]
    public async Task What_has_arrived_of_a_report_that_is_refused_as_a_whole_is_not_sent_again()
    {
        _judge.Answer = (lines, number) => number == 3 ? throw new HttpRequestException("connection lost")
            : lines.Any(l => l.HasLog) ? (413, "{}") : (200, Codes(lines, _ => "ok"));

        var left = await _transport.ReportAsync(_attempts, CancellationToken.None);
        left.ShouldBe([_attempts[1], _attempts[2]]);
        (await _transport.ReportAsync(left, CancellationToken.None)).ShouldBeEmpty();

        Sent().ShouldBe(["0 1+log 2", "0", "1+log", "1+log 2", "1+log", "1", "2"]);
    }

    [Fact]
    public async Task A_fault_before_anything_has_arrived_is_thrown()
    {
        _judge.Answer = (_, number) => number == 1 ? (413, "{}") : (503, "{}");

        (await Should.ThrowAsync<TaskQueueException>(() => _transport.ReportAsync(_attempts, CancellationToken.None)))
            .Status.ShouldBe(503);

        Sent().ShouldBe(["0 1+log 2", "0"]);
    }

    private static List<Attempt> Three()
    {
        var inFlight = new InFlightAttempts(new WorkerRuntimeOptions(3, 0), returnsUnbegun: false);
        var attempts = inFlight.Take(3, TimeSpan.FromMinutes(1));
        attempts[1].Log(new LogEntry(DateTimeOffset.UnixEpoch, TaskLogLevel.Info, "a line"));
        foreach (var attempt in attempts)
            inFlight.Settle(attempt, TaskOutcome.Completed());
        return attempts;
    }

    private List<string> Sent() =>
        [.. _judge.Requests.Select(lines => string.Join(' ', lines.Select(l =>
            $"{_attempts.FindIndex(a => a.Item.Id == l.Id)}{(l.HasLog ? "+log" : "")}")))];

    private static string Codes(IEnumerable<Sending> lines, Func<Sending, string> code)
    {
        var answers = lines.Select(l => $$"""{"id":"{{l.Id}}","attempt":1,"code":"{{code(l)}}"}""");
        return $$"""{"tasks":[{{string.Join(',', answers)}}]}""";
    }

    private sealed record Sending(Guid Id, bool HasLog);

    private sealed class Judge : HttpMessageHandler
    {
        public List<List<Sending>> Requests { get; } = [];

        /// <summary>Status and body of the answer to a request, by its lines and its number.</summary>
        public Func<IReadOnlyList<Sending>, int, (int Status, string Body)> Answer { get; set; } = (_, _) => (500, "{}");

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var body = JsonDocument.Parse(await request.Content!.ReadAsStringAsync(cancellationToken));
            Requests.Add([.. body.RootElement.GetProperty("tasks").EnumerateArray().Select(t =>
                new Sending(t.GetProperty("id").GetGuid(), t.TryGetProperty("logs", out _)))]);
            var (status, text) = Answer(Requests[^1], Requests.Count);
            return new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(text) };
        }
    }
}
