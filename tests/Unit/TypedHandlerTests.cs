using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Typed handlers and middleware of workers.</summary>
public sealed class TypedHandlerTests
{
    private const string Ann = """{"name":"Ann","age":40}""";

    [Fact]
    public async Task A_typed_handler_gets_the_data_and_its_value_is_the_result()
    {
        var options = new TaskQueueWorkerOptions();
        options.AddHandler<Greeter, Person, string>("generated", PersonJson.Default.Person, PersonJson.Default.String);
        options.AddHandler<Greeter>("reflected");
        options.AddHandler<Recorder, Person>("silent", PersonJson.Default.Person);
        options.AddHandlersFrom(typeof(TypedHandlerTests).Assembly);
        await using var services = new ServiceCollection().AddSingleton<ConcurrentBag<Person>>().BuildServiceProvider();

        foreach (var name in new[] { "generated", "reflected", "greet", "greet-again" })
            (await RunAsync(options, services, Ann, name)).Result.ShouldBe("\"Hello, Ann\"", name);
        foreach (var name in new[] { "silent", "record" })
        {
            var outcome = await RunAsync(options, services, Ann, name);
            (outcome.IsCompleted, outcome.Result).ShouldBe((true, null));
        }

        services.GetRequiredService<ConcurrentBag<Person>>().ToList().ShouldBe([new Person("Ann", 40), new Person("Ann", 40)]);
    }

    [Fact]
    public async Task Data_that_cannot_be_read_fails_for_good_and_the_error_names_the_type_and_the_place()
    {
        var options = new TaskQueueWorkerOptions();
        options.AddHandler<Greeter, Person, string>("a", PersonJson.Default.Person, PersonJson.Default.String);
        await using var services = new ServiceCollection().BuildServiceProvider();

        foreach (var (data, place) in new[] { ("""{"name":"Ann","age":"old"}""", "$.age"), ("[1]", "$"), ("no JSON", "$") })
        {
            var outcome = await RunAsync(options, services, data);
            outcome.Error.ShouldNotBeNull().ShouldStartWith($"the payload cannot be read as {typeof(Person)} at {place}: ");
            (outcome.Retryable, outcome.ErrorType).ShouldBe((false, typeof(JsonException).FullName));
        }
    }

    [Fact]
    public async Task Middleware_run_in_the_order_added_in_the_scope_that_the_handler_shares()
    {
        var log = new List<string>();
        var options = new TaskQueueWorkerOptions();
        options.AddMiddleware(async (task, next, cancellationToken) =>
        {
            log.Add("outer begins");
            var outcome = await next(task, cancellationToken);
            log.Add($"outer ends: {outcome.Result}");
            return outcome;
        });
        options.AddMiddleware<ScopeMiddleware>();
        options.AddHandler<ScopeHandler, Person, string>("a", PersonJson.Default.Person, PersonJson.Default.String);
        await using var services = new ServiceCollection().AddScoped<Scope>().AddSingleton(log).BuildServiceProvider(validateScopes: true);

        (await RunAsync(options, services, Ann)).Result.ShouldBe("\"scope of Ann\"");
        log.ShouldBe(["outer begins", "inner begins", "outer ends: \"scope of Ann\""]);
        (await RunAsync(options, services, """{"name":"Ben"}""")).Result.ShouldBe("\"scope of Ben\"");
        log.Count(line => line == "inner begins").ShouldBe(2);
    }

    [Fact]
    public async Task A_middleware_can_keep_the_handler_from_running_and_change_its_outcome()
    {
        var runs = 0;
        var options = new TaskQueueWorkerOptions();
        options.AddMiddleware(async (task, next, cancellationToken) =>
        {
            if (task.Tags.Contains("closed"))
                return TaskOutcome.Snooze(TimeSpan.FromMinutes(1));
            try
            {
                return await next(task, cancellationToken);
            }
            catch (TimeoutException)
            {
                return TaskOutcome.Retry("the database is busy", TimeSpan.FromMinutes(5));
            }
        });
        options.AddProcessor("a", (_, _) => ++runs > 0 ? throw new TimeoutException() : Task.FromResult(TaskOutcome.Completed()));
        await using var services = new ServiceCollection().BuildServiceProvider();

        (await RunAsync(options, services, "{}", tags: ["closed"])).Delay.ShouldBe(TimeSpan.FromMinutes(1));
        runs.ShouldBe(0);
        var busy = await RunAsync(options, services, "{}");
        (busy.Error, busy.Retryable, busy.RetryAfter).ShouldBe(("the database is busy", true, TimeSpan.FromMinutes(5)));
        runs.ShouldBe(1);
    }

    [Fact]
    public async Task A_handler_that_returns_a_value_ends_its_attempt_in_another_way_by_throwing_the_outcome()
    {
        TaskOutcome? seen = null;
        var options = new TaskQueueWorkerOptions();
        options.AddMiddleware(async (task, next, cancellationToken) => seen = await next(task, cancellationToken));
        var thrown = TaskOutcome.Failed("no such account");
        options.AddProcessor<Person, string>("a", PersonJson.Default.Person, PersonJson.Default.String, (_, _, _) =>
            throw new TaskOutcomeException(thrown));
        await using var services = new ServiceCollection().BuildServiceProvider();

        (await RunAsync(options, services, Ann)).ShouldBe(thrown);
        seen.ShouldBe(thrown);
    }

    [Fact]
    public async Task A_handler_that_is_not_registered_is_disposed_after_its_attempt()
    {
        var options = new TaskQueueWorkerOptions();
        options.AddHandler<DisposableHandler, Person>("a", PersonJson.Default.Person);
        await using var services = new ServiceCollection().AddSingleton<List<string>>().BuildServiceProvider();

        await RunAsync(options, services, Ann);

        services.GetRequiredService<List<string>>().ShouldBe(["ran", "disposed"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_handler_that_throws_when_it_is_disposed_has_completed_its_task(bool registered)
    {
        var options = new TaskQueueWorkerOptions();
        options.AddHandler<Undisposable, Person>("a", PersonJson.Default.Person);
        var services = new ServiceCollection();
        if (registered)
            services.AddScoped<Undisposable>();
        await using var provider = services.BuildServiceProvider();

        (await RunAsync(options, provider, Ann)).IsCompleted.ShouldBeTrue();
    }

    [Fact]
    public async Task Progress_that_an_earlier_attempt_left_fails_no_handler_and_what_the_server_could_not_read_is_refused()
    {
        var options = new TaskQueueWorkerOptions();
        options.AddProcessor("a", (task, cancellationToken) =>
        {
            _ = task.ReportProgressAsync("1");
            Should.Throw<ArgumentException>(() => task.ReportProgressAsync(new string('[', 61) + new string(']', 61)))
                .Message.ShouldContain("60 deep");
            return Task.FromResult(TaskOutcome.Completed());
        });
        await using var services = new ServiceCollection().BuildServiceProvider();
        var attempt = new Attempt(
            new WorkItem(Guid.NewGuid(), 2, "q", 0, "a", "{}", TimeSpan.FromMinutes(1))
            {
                Progress = """{"$enc":{"kid":"lost","data":"AA=="}}""",
            }, new Signal());

        (await new ProcessorHandler(options, services).RunAsync(attempt)).IsCompleted.ShouldBeTrue();

        attempt.LastProgress.ShouldBeNull("it would replace a checkpoint that another worker can read");
    }

    [Fact]
    public void What_cannot_work_is_refused_when_the_worker_is_made()
    {
        var options = new TaskQueueWorkerOptions { Queues = { "q" } };
        Should.Throw<ArgumentException>(() => options.AddHandler<Person>("a")).Message.ShouldContain("it implements 0");
        Should.Throw<ArgumentException>(() => options.AddHandler<DisposableHandler>()).Message.ShouldContain("no attribute TaskName");
        options.HandlerOptions("typo").Concurrency = 1;
        Should.Throw<OptionsValidationException>(options.Validate).Message.ShouldContain("\"typo\"): there is no processor");
        options.AddProcessor("typo", (_, _) => Task.FromResult(TaskOutcome.Completed()));
        options.Validate();
        options.HandlerOptions("typo").Retry = new RetryPolicy { Factor = 0.5 };
        Should.Throw<OptionsValidationException>(options.Validate).Message.ShouldContain("Factor");
    }

    private static Task<TaskOutcome> RunAsync(TaskQueueWorkerOptions options, IServiceProvider services, string payload, string name = "a",
        string[]? tags = null) =>
        new ProcessorHandler(options, services).RunAsync(new Attempt(
            new WorkItem(Guid.NewGuid(), 1, "q", 0, name, payload, TimeSpan.FromMinutes(1)) { Tags = tags ?? [] }, new Signal()));

    internal sealed class Scope
    {
        public string Of { get; set; } = "nobody";
    }

    internal sealed class ScopeMiddleware(Scope scope, List<string> log) : ITaskMiddleware
    {
        public Task<TaskOutcome> InvokeAsync(TaskContext task, TaskDelegate next, CancellationToken cancellationToken)
        {
            log.Add("inner begins");
            scope.Of.ShouldBe("nobody"); // the scope is a new one
            scope.Of = task.Read(PersonJson.Default.Person).Name;
            return next(task, cancellationToken);
        }
    }

    internal sealed class ScopeHandler(Scope scope) : ITaskHandler<Person, string>
    {
        public Task<string> ProcessAsync(Person data, TaskContext task, CancellationToken cancellationToken) =>
            Task.FromResult($"scope of {scope.Of}");
    }

    [TaskName("greet")]
    [TaskName("greet-again")]
    internal sealed class Greeter : ITaskHandler<Person, string>
    {
        public Task<string> ProcessAsync(Person data, TaskContext task, CancellationToken cancellationToken) =>
            Task.FromResult($"Hello, {data.Name}");
    }

    [TaskName("record")]
    internal sealed class Recorder(ConcurrentBag<Person> people) : ITaskHandler<Person>
    {
        public Task ProcessAsync(Person data, TaskContext task, CancellationToken cancellationToken)
        {
            people.Add(data);
            return Task.CompletedTask;
        }
    }

    internal sealed class Undisposable : ITaskHandler<Person>, IDisposable
    {
        public Task ProcessAsync(Person data, TaskContext task, CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose() => throw new InvalidOperationException("no");
    }

    internal sealed class DisposableHandler(List<string> log) : ITaskHandler<Person>, IDisposable
    {
        public Task ProcessAsync(Person data, TaskContext task, CancellationToken cancellationToken)
        {
            log.Add("ran");
            return Task.CompletedTask;
        }

        public void Dispose() => log.Add("disposed");
    }
}

internal sealed record Person(string Name, int Age = 0);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Person))]
[JsonSerializable(typeof(string))]
internal sealed partial class PersonJson : JsonSerializerContext;
