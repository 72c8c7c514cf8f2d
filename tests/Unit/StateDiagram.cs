using System.Text;
using MassTransit;
using MassTransit.SagaStateMachine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Unit;

/// <summary>
/// Draws a machine in Mermaid's notation. MassTransit's graph of a machine joins an event's transitions from
/// all states, so their pairs are lost; this walks the machine itself. Events that only answer are omitted.
/// </summary>
internal sealed class StateDiagram : StateMachineVisitor
{
    private readonly SortedSet<(string From, string To, string Event)> _transitions =
        new(Comparer<(string From, string To, string Event)>.Create((a, b) =>
            string.CompareOrdinal($"{a.From}\0{a.To}\0{a.Event}", $"{b.From}\0{b.To}\0{b.Event}")));
    private string _state = "";
    private string _event = "";

    public static string Of(TaskStateMachine machine)
    {
        var diagram = new StateDiagram();
        machine.Accept(diagram);
        return diagram.ToString();
    }

    public override string ToString()
    {
        var text = new StringBuilder("stateDiagram-v2\n");
        foreach (var edge in _transitions.GroupBy(t => (t.From, t.To), t => t.Event))
            text.Append($"  {edge.Key.From} --> {edge.Key.To}: {string.Join(", ", edge)}\n");
        foreach (var end in _transitions.Select(t => t.To).Except(_transitions.Select(t => t.From)).Order(StringComparer.Ordinal))
            text.Append($"  {end} --> [*]\n");
        return text.ToString();
    }

    public void Visit(State state, Action<State> next)
    {
        _state = state.Name == "Initial" ? "[*]" : state.Name;
        next(state);
    }

    public void Visit(Event @event, Action<Event> next)
    {
        _event = @event.Name;
        next(@event);
    }

    public void Visit<TMessage>(Event<TMessage> @event, Action<Event<TMessage>> next)
        where TMessage : class
    {
        _event = @event.Name;
        next(@event);
    }

    public void Visit(IStateMachineActivity activity) => Visit(activity, _ => { });

    public void Visit(IStateMachineActivity activity, Action<IStateMachineActivity> next)
    {
        if (activity is TransitionActivity<TaskState> transition)
            _transitions.Add((_state, transition.ToState.Name, _event));
        next(activity);
    }

    public void Visit<T>(IBehavior<T> behavior)
        where T : class, SagaStateMachineInstance
    {
    }

    public void Visit<T>(IBehavior<T> behavior, Action<IBehavior<T>> next)
        where T : class, SagaStateMachineInstance =>
        next(behavior);

    public void Visit<T, TMessage>(IBehavior<T, TMessage> behavior)
        where T : class, SagaStateMachineInstance
        where TMessage : class
    {
    }

    public void Visit<T, TMessage>(IBehavior<T, TMessage> behavior, Action<IBehavior<T, TMessage>> next)
        where T : class, SagaStateMachineInstance
        where TMessage : class =>
        next(behavior);
}
