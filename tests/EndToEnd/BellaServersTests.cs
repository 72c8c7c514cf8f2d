using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>What several servers of one database must agree on.</summary>
public sealed class BellaServersTests(BellaOnPostgres server) : IClassFixture<BellaOnPostgres>
{
    [Fact]
    public async Task A_queue_registered_at_one_server_is_known_to_the_other_at_once()
    {
        await using var other = await server.StartSecondAsync();
        var name = server.NewName();
        (await other.Http.GetAsync(BellaServer.Uri($"{name}/metadata"))).StatusCode.ShouldBe(HttpStatusCode.NotFound);
        await server.RegisterAsync(name);

        (await other.Http.GetAsync(BellaServer.Uri($"{name}/metadata"))).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Takes_on_another_server_return_the_instance_id_of_the_putting_server()
    {
        var name = await server.RegisterAsync();
        await server.PutAsync(name, 0);
        await server.PutAsync(name, 0);

        var first = (await server.TakeFirstAsync($"{name}:0", server.OtherHttp)).GetProperty("instance_id").GetString();
        var second = (await server.TakeFirstAsync($"{name}:0")).GetProperty("instance_id").GetString();

        first.ShouldBe(second);
    }

    [Fact]
    public async Task A_put_whose_id_collides_with_another_process_gets_a_new_id()
    {
        var clock = new FakeTimeProvider(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));
        var ids = new NumberedTaskIds(clock);
        await using var other = await server.StartSecondAsync(services => services.AddSingleton(ids));
        var name = await server.RegisterAsync();
        var queue = NumberedTaskId.Parse(await server.PutAsync(name, 1))!.Queue;
        var made = new NumberedTaskId(clock.GetUtcNow().ToUnixTimeMilliseconds(), 0, NumberedTaskMode.Callback, ids.Instance, 1, queue);
        (await other.Services.GetRequiredService<TaskService>()
            .SubmitAsync(new TaskSubmission(made.ToGuid(), name, "{}") { Owner = "ann" })).Result.ShouldBe(SubmitStatus.Accepted);

        var put = await other.Http.PostAsync(BellaServer.Uri("put"), new StringContent(
            $$$"""{"queue":"{{{name}}}","endpoint":"/x","level":1,"data":{"mine":1}}"""));

        var id = (await BellaServer.ReadAsync(put)).Ok().GetProperty("data").GetString()!;
        id.ShouldNotBe(made.ToString());
        (await server.GetAsync(id)).Ok().GetProperty("data").GetRawText().ShouldBe("""{"mine":1}""");
        (await server.GetAsync(made.ToString())).Ok().GetProperty("data").GetRawText().ShouldBe("{}");
    }
}
