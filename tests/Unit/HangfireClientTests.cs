using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Hangfire;
using Hangfire.Common;
using Hangfire.States;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What the job client sends for a call, and what it refuses before it sends anything.</summary>
public sealed class HangfireClientTests : IAsyncDisposable
{
    private readonly Recorder _server = new();
    private readonly ServiceProvider _services;

    public HangfireClientTests()
    {
        var services = new ServiceCollection().AddTaskQueueHangfire(client: o => o.BaseAddress = new Uri("http://taskqueue.test"));
        services.AddHttpClient("TaskQueue").ConfigurePrimaryHttpMessageHandler(() => _server);
        _services = services.BuildServiceProvider();
    }

    private IBackgroundJobClient Jobs => _services.GetRequiredService<IBackgroundJobClient>();

    private IRecurringJobManager Recurring => _services.GetRequiredService<IRecurringJobManager>();

    public async ValueTask DisposeAsync() => await _services.DisposeAsync();

    [Fact]
    public void A_call_becomes_a_task_with_its_arguments_culture_and_ten_retries()
    {
        var before = CultureInfo.CurrentCulture;
        string id;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("de-DE");
            id = Jobs.Enqueue<HangfireTestJobs>(j => j.Send("ann", 2));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }

        var task = _server.Sent.ShouldHaveSingleItem();
        (task.GetProperty("id").GetString(), Text(task, "queue"), Text(task, "action"))
            .ShouldBe((id, "default", "hangfire:TaskQueue.Tests.Unit.HangfireTestJobs.Send"));
        task.GetProperty("max_attempts").GetInt32().ShouldBe(11);
        task.GetProperty("retry").GetProperty("intervals").GetArrayLength().ShouldBe(10);
        var data = task.GetProperty("data");
        data.GetProperty("hangfire").GetInt32().ShouldBe(1);
        data.GetProperty("type").GetString().ShouldBe("TaskQueue.Tests.Unit.HangfireTestJobs, TaskQueue.Tests");
        data.GetProperty("arguments").EnumerateArray().Select(a => a.GetString()).ShouldBe(["\"ann\"", "2"]);
        data.GetProperty("context").GetProperty("CurrentCulture").GetString().ShouldBe("\"de-DE\"");
    }

    [Fact]
    public void Attributes_are_settings_of_the_task()
    {
        Jobs.Enqueue<HangfireTestJobs>(j => j.Retried());
        var retried = _server.Sent[^1];
        retried.GetProperty("max_attempts").GetInt32().ShouldBe(4);
        retried.GetProperty("retry").GetProperty("intervals").EnumerateArray().Select(i => i.GetDouble()).ShouldBe([5.0, 60.0, 60.0]);

        Jobs.Enqueue<HangfireTestJobs>(j => j.Once());
        _server.Sent[^1].GetProperty("max_attempts").GetInt32().ShouldBe(3); // for killed workers
        Jobs.Enqueue<HangfireTestJobs>("called", j => j.Urgent());
        Text(_server.Sent[^1], "queue").ShouldBe("urgent"); // as in Hangfire, the attribute wins
        Jobs.Enqueue<HangfireTestJobs>("called", j => j.Once());
        Text(_server.Sent[^1], "queue").ShouldBe("called");
        Jobs.Enqueue<HangfireTestJobs>(j => j.OfTenant("x"));
        Text(_server.Sent[^1], "queue").ShouldBe("of-x");
        Jobs.Enqueue<HangfireTestJobs>(j => j.Alone());
        Text(_server.Sent[^1], "ordering_key").ShouldBe("hangfire:TaskQueue.Tests.Unit.HangfireTestJobs.Alone");
        Jobs.Enqueue<HangfireTestJobs>(j => j.AloneFor(7));
        (Text(_server.Sent[^1], "queue"), Text(_server.Sent[^1], "ordering_key")).ShouldBe(("accounts", "hangfire:account:7"));
        Jobs.Enqueue<HangfireTestJobs>(j => j.Soon());
        _server.Sent[^1].TryGetProperty("expires_at", out _).ShouldBeTrue();
        Jobs.Enqueue<HangfireTestJobs>(j => j.Noted());
        _server.Sent[^1].GetProperty("data").GetProperty("context").GetProperty("Note").GetString().ShouldBe("\"written by the client\"");
    }

    [Fact]
    public void Delays_and_times_are_those_of_the_task()
    {
        var at = new DateTimeOffset(2031, 2, 3, 4, 5, 6, TimeSpan.FromHours(2));
        Jobs.Schedule<HangfireTestJobs>(j => j.Once(), at);
        _server.Sent[^1].GetProperty("scheduled_at").GetDateTimeOffset().ShouldBe(at);
        Jobs.Schedule<HangfireTestJobs>(j => j.Once(), TimeSpan.FromDays(1));
        _server.Sent[^1].GetProperty("scheduled_at").GetDateTimeOffset().ShouldBeGreaterThan(TimeProvider.System.GetUtcNow().AddHours(23));
    }

    [Fact]
    public void What_cannot_work_is_refused_before_anything_is_sent()
    {
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Watched())).ShouldContain("WatchedAttribute");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Anything(1))).ShouldContain("object");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Fault(null!))).ShouldContain("ISerializable");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Graph(null!))).ShouldContain("Holder.Inner.Value");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Shape(new HangfireTestCircle()))).ShouldContain("HangfireTestCircle");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.Generic(1))).ShouldContain("generic method");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>(j => j.After(""))).ShouldContain("result");
        Refused(() => Jobs.Enqueue<HangfireTestJobs>("elsewhere", j => j.Alone())).ShouldContain("[Queue(\"elsewhere\")]");
        Refused(() => Jobs.Create(Job.FromExpression<HangfireTestJobs>(j => j.Once()), new SucceededState(null, 0, 0)))
            .ShouldContain("Succeeded");
        Refused(() => Jobs.ContinueJobWith<HangfireTestJobs>("17", j => j.Once())).ShouldContain("'17' is not a job");
        Refused(() => Jobs.Reschedule(Guid.NewGuid().ToString(), TimeSpan.FromMinutes(1))).ShouldContain("Schedule it again");
        Refused(() => _services.GetRequiredService<IBackgroundJobClientV2>().Storage.GetMonitoringApi()).ShouldContain("console");
        _server.Requests.ShouldBe(0);
    }

    [Theory]
    [InlineData("*/5 * * * *", "*/5 * * * *")]
    [InlineData(" 0  8 * * MON-FRI ", "0 8 * * MON-FRI")]
    [InlineData("*/10 * * * * *", "*/10 * * * * *")]
    [InlineData("0 0 L * *", "0 0 L * *")]
    [InlineData("0 0 */2 * MON", "0 0 */2 * MON")]
    [InlineData("@Daily", "0 0 * * *")]
    [InlineData("@every_second", "* * * * * *")]
    public void Cron_expressions_with_the_same_ticks_are_translated(string hangfire, string schedule) =>
        HangfireCron.Translate(hangfire).ShouldBe(schedule);

    [Theory]
    [InlineData("0 0 13 * FRI", "either is enough")]
    [InlineData("0 0 1-7 * MON", "either is enough")]
    [InlineData("0 0 31W * *", "28W")]
    public void Cron_expressions_with_other_ticks_are_refused(string hangfire, string reason) =>
        Refused(() => HangfireCron.Translate(hangfire)).ShouldContain(reason);

    [Fact]
    public void Recurring_jobs_refuse_what_a_schedule_does_not_do()
    {
        Should.Throw<ArgumentException>(() => Recurring.AddOrUpdate<HangfireTestJobs>("a", j => j.Once(), "* * *"));
        Refused(() => Recurring.AddOrUpdate<HangfireTestJobs>("a", j => j.Noted(), "* * * * *")).ShouldContain("NotedAttribute");
        Refused(() => Recurring.AddOrUpdate<HangfireTestJobs>("a", j => j.Once(), "* * * * *",
            new RecurringJobOptions { MisfireHandling = MisfireHandlingMode.Strict })).ShouldContain("Relaxed");
        var zone = TimeZoneInfo.CreateCustomTimeZone("Ship/Bridge", TimeSpan.FromHours(3), "Bridge", "Bridge");
        Refused(() => Recurring.AddOrUpdate<HangfireTestJobs>("a", j => j.Once(), "* * * * *", new RecurringJobOptions { TimeZone = zone }))
            .ShouldContain("IANA");
        _server.Requests.ShouldBe(0);
    }

    [Fact]
    public void Names_of_schedules_are_valid_and_differ_as_the_ids_do()
    {
        JobNames.ScheduleOf("daily-report_2").ShouldBe("daily-report_2");
        var names = new[] { "daily report", "daily-report", "daily.report", "Täglich", new string('x', 500), new string('x', 501) }
            .Select(JobNames.ScheduleOf).ToList();
        names.Distinct().Count().ShouldBe(names.Count);
        names.ShouldAllBe(n => n.Length <= 128 && n.All(c => char.IsAsciiLetterOrDigit(c) || c == '-' || c == '_'));
        JobNames.TaskOf(typeof(Dictionary<Dictionary<string, HangfireTestJobs.Card>, Dictionary<string, HangfireTestJobs.Holder>>),
            new string('m', 200)).Length.ShouldBe(256);
    }

    [Fact]
    public void A_global_filter_of_states_is_refused_at_start()
    {
        var filters = new JobFilterCollection { new HangfireTestJobs.WatchedAttribute() };
        using var services = new ServiceCollection()
            .AddTaskQueueHangfire(o => o.Filters = filters, o => o.BaseAddress = new Uri("http://taskqueue.test")).BuildServiceProvider();

        Refused(() => services.GetRequiredService<IBackgroundJobClient>()).ShouldContain("WatchedAttribute");
        Refused(() => services.GetRequiredService<IRecurringJobManager>()).ShouldContain("GlobalJobFilters");
    }

    [Fact]
    public void Continuations_look_less_often_the_longer_they_wait()
    {
        Continuations.Pause(TimeSpan.Zero).ShouldBe(TimeSpan.FromSeconds(1));
        Continuations.Pause(TimeSpan.FromMinutes(4)).ShouldBe(TimeSpan.FromMinutes(1));
        Continuations.Pause(TimeSpan.FromDays(4)).ShouldBe(TimeSpan.FromMinutes(5));
    }

    private static string Refused(Action call) => Should.Throw<NotSupportedException>(call).Message;

    private static string? Text(JsonElement task, string name) => task.GetProperty(name).GetString();

    /// <summary>Accepts every task.</summary>
    private sealed class Recorder : HttpMessageHandler
    {
        public List<JsonElement> Sent { get; } = [];

        public int Requests { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Requests++;
            var task = JsonSerializer.Deserialize<JsonElement>(await request.Content!.ReadAsStringAsync(cancellationToken));
            Sent.Add(task);
            return new HttpResponseMessage(HttpStatusCode.Accepted)
            {
                Content = new StringContent($$"""{"id":"{{task.GetProperty("id").GetString()}}","status":"queued"}""", Encoding.UTF8,
                    "application/json"),
            };
        }
    }
}
