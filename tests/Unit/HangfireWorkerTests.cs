using System.Text.Json;
using Hangfire;
using Hangfire.Common;
using Hangfire.Server;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Client;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which jobs of Hangfire a worker runs, and how. The payloads are made by hand, as an attacker could.</summary>
public sealed class HangfireWorkerTests
{
    private static readonly string Jobs = NameOf(typeof(HangfireTestJobs));

    private readonly List<string> _done = [];

    [Fact]
    public async Task An_allowed_method_runs_with_its_arguments_and_returns_its_result()
    {
        (await RunAsync("Send", ["System.String", "System.Int32"], ["\"ann\"", "2"])).Error.ShouldBeNull();
        _done.ShouldBe(["ann 2"]);
        (await RunAsync("SumAsync", [NameOf(typeof(int[])), NameOf(typeof(CancellationToken))], ["[1,2,3]", null])).Result.ShouldBe("6");
        (await RunAsync("Static", [], [])).Result.ShouldBe("\"static\"");
        var card = """{"Name":"Ann","Age":null,"Ids":["0198c0de-0000-7000-8000-000000000001"]}""";
        var printed = await RunAsync("Print",
            [NameOf(typeof(HangfireTestJobs.Card)), NameOf(typeof(DateOnly)), NameOf(typeof(IReadOnlyDictionary<string, decimal>))],
            [card, "\"2031-02-03\"", """{"a":1.25,"b":2}"""]);
        printed.Error.ShouldBeNull();
        JsonSerializer.Deserialize<JsonElement>(printed.Result!).GetProperty("Name").GetString().ShouldBe("Ann 2031-02-03 3.25");
    }

    [Theory]
    [InlineData("System.Diagnostics.Process, System.Diagnostics.Process", "Start")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestGadget, TaskQueue.Tests", "ToString")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestJobs, TaskQueue.Tests, Version=9.9.9.9, Culture=neutral, PublicKeyToken=null", "Static")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestJobs, Evil", "Static")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestJobs", "Static")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestImport`1[[System.Diagnostics.Process, System.Diagnostics.Process]], TaskQueue.Tests",
        "Run")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestImport`1, TaskQueue.Tests", "Run")]
    [InlineData("TaskQueue.Tests.Unit.HangfireTestJobs[], TaskQueue.Tests", "Clone")]
    public async Task A_type_that_is_not_allowed_is_refused_for_good_and_never_loaded(string type, string method)
    {
        var outcome = await RunAsync(method, [], [], type);

        outcome.Error.ShouldNotBeNull().ShouldContain("is not allowed in this worker");
        outcome.Retryable.ShouldBeFalse();
        HangfireTestGadget.Created.ShouldBeFalse();
    }

    [Theory]
    [InlineData("Secret")] // private
    [InlineData("Hidden")] // protected
    [InlineData("Internal")]
    [InlineData("ToString")]
    [InlineData("GetType")]
    [InlineData("get_Done")]
    [InlineData("NoSuchMethod")]
    public async Task A_method_that_is_not_public_or_no_job_is_refused(string method)
    {
        (await RunAsync(method, [], [])).Error.ShouldNotBeNull().ShouldContain("has no public method");
        _done.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Dispose")]
    [InlineData("DisposeAsync")]
    [InlineData("StartAsync", "System.Threading.CancellationToken")]
    [InlineData("StopAsync", "System.Threading.CancellationToken")]
    public async Task Methods_of_the_framework_that_a_class_inherits_are_no_jobs(string method, params string[] parameters)
    {
        var processor = new JobProcessor(new HangfireJobOptions().Allow<HangfireTestService>());

        var outcome = await RunAsync(method, parameters, [.. parameters.Select(_ => (string?)null)], NameOf(typeof(HangfireTestService)),
            processor: processor);

        outcome.Error.ShouldNotBeNull().ShouldContain("has no public method");
        processor.TaskNames.ShouldHaveSingleItem().ShouldEndWith(".Work");
        _done.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_task_of_another_name_cannot_call_a_job()
    {
        var send = JsonSerializer.Serialize(new
        {
            hangfire = 1, type = Jobs, method = "Send", parameters = (string[])["System.String", "System.Int32"],
            arguments = (string[])["\"ann\"", "1000"],
        });

        var outcome = await ProcessAsync(Processor(), send, name: $"hangfire:{typeof(HangfireTestJobs).FullName}.Static");

        (outcome.Error.ShouldNotBeNull().Contains("must not call", StringComparison.Ordinal), outcome.Retryable).ShouldBe((true, false));
        _done.ShouldBeEmpty();
    }

    [Fact]
    public async Task Overloads_and_generic_methods_are_matched_by_the_exact_parameters()
    {
        (await RunAsync("Send", ["System.String"], ["\"ann\""])).Error.ShouldNotBeNull().ShouldContain("has no public method");
        (await RunAsync("Generic", ["System.String"], ["\"x\""])).Error.ShouldNotBeNull().ShouldContain("has no public method");
        (await RunAsync("Send", ["System.String", "System.Int32"], ["\"ann\""])).Error.ShouldNotBeNull().ShouldContain("1 arguments");
        (await RunAsync("Send", ["System.String", "System.Int32"], ["\"ann\"", "\"x\""])).Error.ShouldNotBeNull().ShouldContain("copies");
        (await RunAsync("Send", ["System.String", "System.Int32"], ["\"ann\"", null])).Error.ShouldNotBeNull().ShouldContain("is missing");
    }

    [Theory]
    [InlineData("Anything", typeof(object), "object")]
    [InlineData("Fault", typeof(Exception), "ISerializable")]
    [InlineData("Graph", typeof(HangfireTestJobs.Holder), "object")]
    public async Task A_parameter_that_could_be_anything_is_never_read(string method, Type parameter, string reason)
    {
        var gadget = """{"$type":"TaskQueue.Tests.Unit.HangfireTestGadget, TaskQueue.Tests","Path":"x","Inner":{"Value":{"Path":"x"}}}""";

        (await RunAsync(method, [NameOf(parameter)], [gadget])).Error.ShouldNotBeNull().ShouldContain(reason);

        HangfireTestGadget.Created.ShouldBeFalse();
        _done.ShouldBeEmpty();
    }

    [Fact]
    public async Task Type_names_in_arguments_and_job_parameters_have_no_effect_or_are_refused()
    {
        var circle = """{"$type":"TaskQueue.Tests.Unit.HangfireTestCircle, TaskQueue.Tests","Size":3,"Radius":4}""";
        (await RunAsync("Shape", [NameOf(typeof(HangfireTestShape))], [circle])).Error.ShouldBeNull();
        _done.ShouldBe([typeof(HangfireTestShape).FullName!]);
        (await RunAsync("Static", [], [], context: new() { ["CurrentCulture"] = circle })).Error.ShouldNotBeNull()
            .ShouldContain("CurrentCulture");
    }

    [Fact]
    public async Task Tasks_that_are_no_jobs_and_newer_formats_are_told_apart()
    {
        var processor = Processor();
        (await ProcessAsync(processor, """{"some":"data"}""")).Error.ShouldNotBeNull().ShouldContain("is not a job");
        (await ProcessAsync(processor, "[1]")).Error.ShouldNotBeNull().ShouldContain("is not a job");
        var newer = await Should.ThrowAsync<NotSupportedException>(() => // retried: another worker may read it
            ProcessAsync(processor, """{"hangfire":2,"type":"x","method":"y"}"""));
        newer.Message.ShouldContain("update its package");
    }

    [Fact]
    public async Task A_generic_type_is_allowed_with_its_arguments_only()
    {
        var processor = new JobProcessor(new HangfireJobOptions().Allow<HangfireTestImport<int>>());

        (await RunAsync("Run", [], [], NameOf(typeof(HangfireTestImport<int>)), processor: processor)).Result.ShouldBe("\"Int32\"");
        (await RunAsync("Run", [], [], NameOf(typeof(HangfireTestImport<string>)), processor: processor)).Error.ShouldNotBeNull()
            .ShouldContain("is not allowed");
        Should.Throw<ArgumentException>(() => new HangfireJobOptions().Allow(typeof(HangfireTestImport<>))).Message
            .ShouldContain("not one type");
        Should.Throw<ArgumentException>(() => new HangfireJobOptions().Allow<int>());
        Should.Throw<ArgumentException>(() => new JobProcessor(new HangfireJobOptions())).Message.ShouldContain("at least one type");
    }

    [Fact]
    public void An_assembly_allows_its_public_classes_and_interfaces()
    {
        var types = new HangfireJobOptions().AllowAssembly(typeof(HangfireTestJobs).Assembly).Types.Values.ToList();

        types.ShouldContain(typeof(HangfireTestJobs));
        types.ShouldContain(typeof(IHangfireTestMailer));
        types.ShouldNotContain(typeof(HangfireTestImport<>));
        types.ShouldNotContain(typeof(HangfireTestLog)); // internal
        types.ShouldNotContain(typeof(HangfireTestJobs.NotedAttribute));
        types.ShouldAllBe(t => t.IsClass || t.IsInterface);
    }

    [Fact]
    public async Task An_interface_is_resolved_from_the_scope_of_the_job()
    {
        var processor = new JobProcessor(new HangfireJobOptions().Allow<IHangfireTestMailer>());

        var sent = await RunAsync("Send", ["System.String"], ["\"ann\""], NameOf(typeof(IHangfireTestMailer)), processor: processor);

        sent.Error.ShouldBeNull();

        _done.ShouldBe(["mail to ann", "disposed"]);
    }

    [Fact]
    public async Task Contexts_tokens_and_filters_of_both_sides_work()
    {
        var who = await RunAsync("Who", [NameOf(typeof(PerformContext)), NameOf(typeof(IJobCancellationToken))], [null, null]);
        who.Result.ShouldNotBeNull().ShouldEndWith(" 2\""); // it was the third attempt

        var id = Guid.NewGuid();
        (await RunAsync("Noted", [], [], context: new() { ["Note"] = "\"written by the client\"" }, id: id)).Error.ShouldBeNull();
        HangfireTestLog.Of(id.ToString()).ShouldBe(["before: written by the client", "after"]);
        (await RunAsync("Culture", [], [], context: new() { ["CurrentCulture"] = "\"de-DE\"" })).Result.ShouldBe("\"de-DE\"");
    }

    [Fact]
    public async Task An_exception_is_that_of_the_job_and_final_where_the_attribute_says_so()
    {
        (await Should.ThrowAsync<InvalidOperationException>(() => RunAsync("Retried", [], []))).Message.ShouldBe("try again");
        await Should.ThrowAsync<TimeoutException>(() => RunAsync("Only", ["System.Boolean"], ["true"]));
        var final = await RunAsync("Only", ["System.Boolean"], ["false"]);
        (final.Error, final.Retryable, final.ErrorType).ShouldBe(("useless", false, "System.InvalidOperationException"));
        var once = await RunAsync("FailsOnce", [], []);
        (once.Error, once.Retryable).ShouldBe(("once", false)); // although the task has attempts left for killed workers
    }

    [Fact]
    public void A_filter_of_states_is_refused_at_start()
    {
        var jobs = new HangfireJobOptions { Filters = new JobFilterCollection { new HangfireTestJobs.WatchedAttribute() } };
        var refused = Should.Throw<NotSupportedException>(() => new JobProcessor(jobs.Allow<HangfireTestImport<int>>()));
        refused.Message.ShouldContain("WatchedAttribute");
        Should.Throw<NotSupportedException>(() => new JobProcessor(new HangfireJobOptions().Allow<HangfireTestJobs>())).Message
            .ShouldContain("HangfireTestJobs.Watched");
    }

    /// <summary>All but the one method with a filter that cannot work.</summary>
    private static JobProcessor Processor() =>
        new(new HangfireJobOptions { Filters = new JobFilterProviderCollection(GlobalJobFilters.Filters, new Supported()) }
            .Allow<HangfireTestJobs>());

    private static string NameOf(Type type) => TypeHelper.SimpleAssemblyTypeSerializer(type);

    private Task<TaskOutcome> RunAsync(string method, string[] parameters, string?[] arguments, string? type = null,
        Dictionary<string, string?>? context = null, Guid? id = null, JobProcessor? processor = null)
    {
        processor ??= Processor();
        var name = processor.TaskNames.FirstOrDefault(n => n.EndsWith($".{method}", StringComparison.Ordinal));
        return ProcessAsync(processor, JsonSerializer.Serialize(new
        {
            hangfire = 1, type = type ?? Jobs, method, parameters, arguments, context,
        }), id, name ?? "hangfire:x");
    }

    private async Task<TaskOutcome> ProcessAsync(JobProcessor processor, string data, Guid? id = null, string name = "hangfire:x")
    {
        var task = id ?? Guid.NewGuid();
        var payload = $$"""{"id":"{{task}}","action":"{{name}}","data":{{data}},"created_at":1900000000}""";
        var attempt = new Attempt(new WorkItem(task, 3, "default", 0, name, payload, TimeSpan.FromSeconds(15)), new Signal());
        await using var services = new ServiceCollection().AddSingleton(_done).AddScoped<IHangfireTestMailer, Mailer>()
            .BuildServiceProvider();
        return await processor.RunAsync(services, new TaskContext(attempt, payload, null, TimeProvider.System), attempt.Cancelled);
    }

    private sealed class Mailer(List<string> done) : IHangfireTestMailer, IAsyncDisposable
    {
        public void Send(string to) => done.Add($"mail to {to}");

        public ValueTask DisposeAsync()
        {
            done.Add("disposed");
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Supported : JobFilterAttributeFilterProvider
    {
        public override IEnumerable<JobFilter> GetFilters(Job job) =>
            base.GetFilters(job).Where(f => f.Instance is not HangfireTestJobs.WatchedAttribute);
    }
}
