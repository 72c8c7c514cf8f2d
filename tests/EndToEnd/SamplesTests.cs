using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The samples, and the examples of the packages for other languages, as separate programs against a server.</summary>
public sealed class SamplesTests(SqliteStack stack) : IClassFixture<SqliteStack>
{
    private readonly string _queue = $"s{Guid.NewGuid():N}";

    private HttpClient Http => stack.Http;

    [Fact]
    public Task The_worker_in_Python_works() => WorksAsync("python3", ClientPackage.Python("examples", "worker.py"));

    [Fact]
    public Task The_worker_in_JavaScript_works() => WorksAsync("node", ClientPackage.JavaScript("examples", "worker.mjs"));

    [Fact]
    public Task The_worker_in_CSharp_works() =>
        WorksAsync(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            Path.Combine(AppContext.BaseDirectory, "SampleWorker.dll"));

    [Fact]
    public async Task The_producer_in_CSharp_prints_what_a_worker_answers()
    {
        using var worker = Sample("SampleWorker", _queue);
        using var producer = Sample("SampleProducer", _queue, "hello");

        (await producer.WaitAsync(TestHttp.Patience)).ShouldBe(0, producer.Output);
        producer.Output.Trim().ShouldBe("HELLO");
        worker.Kill();
    }

    private Command Sample(string name, params string[] args) =>
        new(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
            [Path.Combine(AppContext.BaseDirectory, $"{name}.dll"), Http.BaseAddress!.ToString(), .. args]);

    /// <summary>It runs tasks, has failed ones retried, and exits cleanly.</summary>
    private async Task WorksAsync(string program, string file)
    {
        using var worker = new Command(program, [file, Http.BaseAddress!.ToString(), _queue], ClientPackage.Environment);
        var good = await SubmitAsync(new { text = "héllo" });
        var bad = await SubmitAsync(new { text = 7 });

        (await Http.TaskAsync(good, "completed")).GetProperty("result").Text("output").ShouldBe("HÉLLO");
        (await Http.TaskAsync(bad, "failed")).Text("error").ShouldNotBeNullOrEmpty();

        worker.Terminate();
        (await worker.WaitAsync(TestHttp.Patience)).ShouldBe(0, worker.Output);
    }

    private Task<Guid> SubmitAsync(object data) => Http.SubmitAsync(new { action = "upper", data, queue = _queue, max_attempts = 1 });
}
