using System.Reflection;
using MassTransit;
using MassTransit.Context;

namespace TaskQueue.Engine.Tasks;

/// <summary>
/// Stands for the message that MassTransit's state machine expects behind an event. Activities of <see cref="TaskStateMachine"/> use the
/// event and the task alone, so it has nothing.
/// </summary>
internal sealed class TransitionContext() : BaseConsumeContext(DispatchProxy.Create<ReceiveContext, Nothing>(), null!)
{
    public override Task ConsumeCompleted => Task.CompletedTask;

    public override Guid? MessageId => null;

    public override Guid? RequestId => null;

    public override Guid? CorrelationId => null;

    public override Guid? ConversationId => null;

    public override Guid? InitiatorId => null;

    public override DateTime? ExpirationTime => null;

    public override Uri SourceAddress => null!;

    public override Uri DestinationAddress => null!;

    public override Uri ResponseAddress => null!;

    public override Uri FaultAddress => null!;

    public override DateTime? SentTime => null;

    public override Headers Headers => null!;

    public override HostInfo Host => null!;

    public override IEnumerable<string> SupportedMessageTypes => [];

    public override bool HasMessageType(Type messageType) => false;

    public override bool TryGetMessage<T>(out ConsumeContext<T> consumeContext)
    {
        consumeContext = null!;
        return false;
    }

    public override void AddConsumeTask(Task task)
    {
        // nobody waits
    }

    public override bool HasPayloadType(Type payloadType) => false;

    public override bool TryGetPayload<T>(out T payload)
    {
        payload = null!;
        return false;
    }

    public override T GetOrAddPayload<T>(PayloadFactory<T> payloadFactory) => payloadFactory();

    public override T AddOrUpdatePayload<T>(PayloadFactory<T> addFactory, UpdatePayloadFactory<T> updateFactory) => addFactory();
}

/// <summary>An interface of which every member returns the default.</summary>
internal class Nothing : DispatchProxy
{
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod is { ReturnType.IsValueType: true } method && method.ReturnType != typeof(void)
            ? Activator.CreateInstance(method.ReturnType) : null;
}
