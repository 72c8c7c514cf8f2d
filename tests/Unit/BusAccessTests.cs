using MassTransit;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Adapters.Bella;
using TaskQueue.Bus.Connection;
using TaskQueue.Bus.Health;
using TaskQueue.Bus.Senders;
using TaskQueue.Consumers;
using TaskQueue.Contracts;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Which messages of which users are accepted, and for which owner.</summary>
public sealed class BusAccessTests
{
    private const string Own = "taskqueue-api", Sibling = "taskqueue-scheduler", Producer = "shop", Worker = "shop-worker",
        Stranger = "stranger";

    /// <summary>Who may send each message that the server consumes.</summary>
    private static readonly Dictionary<Type, string[]> Senders = new()
    {
        [typeof(SubmitTasks)] = [Producer],
        [typeof(ReportTasks)] = [Own, Sibling, Worker],
        [typeof(BellaBusEvent)] = [Own, Sibling, Worker],
        [typeof(DispatchTasks)] = [Own, Sibling],
        [typeof(WorkAvailable)] = [Own, Sibling],
        [typeof(QueuesChanged)] = [Own, Sibling],
        [typeof(TaskReplies)] = [Own, Sibling],
        [typeof(EventsCommitted)] = [Own, Sibling],
        [typeof(Canary)] = [Own, Sibling],
    };

    public static TheoryData<string, string?> Cases()
    {
        var cases = new TheoryData<string, string?>();
        foreach (var message in Senders.Keys)
        {
            foreach (var user in new[] { Own, Sibling, Producer, Worker, Stranger, null })
                cases.Add(message.Name, user);
        }

        return cases;
    }

    [Fact]
    public void Every_message_that_the_server_consumes_is_in_the_table()
    {
        var consumed = new[] { typeof(BusAddress), typeof(ConsumersRole), typeof(BellaBusEvent) }.SelectMany(t => t.Assembly.GetTypes())
            .Where(t => t is { IsClass: true, IsAbstract: false })
            .SelectMany(t => t.GetInterfaces()).Where(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IConsumer<>))
            .Select(i => i.GetGenericArguments()[0]).Distinct();
        consumed.ShouldBe(Senders.Keys, ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_message_is_accepted_from_users_that_may_send_it(string message, string? user)
    {
        var (type, senders) = Senders.Single(s => s.Key.Name == message);
        var (access, problem) = Access().Decide(SenderRoles.Of(type), user);
        if (user is not null && senders.Contains(user))
            access.ShouldNotBeNull(problem);
        else
            problem.ShouldNotBeNull().ShouldContain(user ?? "no user");
    }

    [Theory]
    [InlineData("shop", "shop-orders", true)]
    [InlineData("shop", "mail", false)]
    [InlineData("other", "shop-orders", false)]
    public void A_producer_acts_for_its_tenant_in_its_queues(string tenant, string queue, bool sees)
    {
        var access = Access().Decide(SenderRole.Producer, Producer).Access!;
        access.Tenant.ShouldBe("shop");
        access.CanRead(tenant, queue).ShouldBe(sees);
        access.Allows("mail").ShouldBeFalse();
    }

    [Theory]
    [InlineData("shop-orders", true)]
    [InlineData("mail", false)]
    public void A_worker_sees_every_tenant_in_its_queues_and_only_its_credential_may_report(string queue, bool sees)
    {
        var access = Access().Decide(SenderRole.Worker, Worker).Access!;
        access.CanRead("anybody", queue).ShouldBe(sees);
        (access.Tenant, access.Credential).ShouldBe((null, Credentials.OfBusUser(Worker)));
        Access().Decide(SenderRole.EventWorker, Worker).Access!.Credential.ShouldBe("shop-key");
        var keys = new AuthOptions { ApiKeys = { new ApiKeyOptions { Name = "shop-key", Tenant = "shop" } } };
        Access(auth: keys).Decide(SenderRole.EventWorker, Worker).Access!.Credential.ShouldBe(Credentials.OfCaller("shop-key", "shop"));
    }

    [Fact]
    public void No_name_looks_like_the_credential_of_another()
    {
        var (id, longest) = (Guid.NewGuid(), new string('n', CallerNames.MaxLength));
        string[] credentials =
        [
            Credentials.OfCaller("jo", "jo"), Credentials.OfCaller("jo", "a"), Credentials.OfCaller("jo", "b"),
            Credentials.OfCaller("a", "jo"),
            Credentials.OfCaller($"{id:N}", "key"), Credentials.OfKey(id), Credentials.OfCaller("jo", "bus"), Credentials.OfBusUser("jo"),
            Credentials.OfCaller(longest, longest), Credentials.OfCaller(longest, "a"), Credentials.OfCaller(longest, "b"),
        ];
        credentials.ShouldBeUnique();
        credentials.ShouldAllBe(c => c.Length <= CallerNames.MaxLength);
    }

    [Fact]
    public void A_server_reads_its_own_messages_completely() =>
        Access().Decide(SenderRole.Worker, Own).Access.ShouldBeSameAs(Engine.Auth.Access.All);

    [Fact]
    public void Users_are_not_distinguished_without_authentication_and_listed_users_or_in_process()
    {
        Access(new BusOptions(), new AuthOptions()).Decide(SenderRole.Engine, null).Access.ShouldBeSameAs(Engine.Auth.Access.All);
        Access(rabbitMq: null).Decide(SenderRole.Producer, null).Access.ShouldBeSameAs(Engine.Auth.Access.All);
        Access(new BusOptions(), new AuthOptions { KeysFile = "keys.json" }).Decide(SenderRole.Producer, Own).Access.ShouldBeNull();
    }

    [Fact]
    public void Invalid_bus_users_stop_the_start()
    {
        var options = new BusOptions
        {
            Producers = { new BusProducerUser(), new BusProducerUser { User = "a", Queues = ["a b"] },
                new BusProducerUser { User = "a", Tenant = " x" } },
            Workers = { new BusWorkerUser { User = "w" } },
            EngineUsers = { "", "w" },
        };
        options.Validate(new(options)).Count().ShouldBe(7);
    }

    private static BusAccess Access(BusOptions? users = null, AuthOptions? auth = null,
        string? rabbitMq = $"amqp://{Own}:x@localhost") => new(
        new BusAddress(rabbitMq is null ? null : new Uri(rabbitMq)),
        new Fixed<BusOptions>(users ?? new BusOptions
        {
            Producers = { new BusProducerUser { User = Producer, Queues = ["shop-*"] } },
            Workers = { new BusWorkerUser { User = Worker, Queues = { "shop-*" }, Key = "shop-key" } },
            EngineUsers = { Sibling },
        }),
        new Fixed<AuthOptions>(auth ?? new AuthOptions()));

    private sealed class Fixed<T>(T value) : IOptionsMonitor<T>
    {
        public T CurrentValue => value;

        public T Get(string? name) => value;

        public IDisposable? OnChange(Action<T, string?> listener) => null;
    }
}
