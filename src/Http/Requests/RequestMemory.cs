using Microsoft.AspNetCore.Http.Features;
using TaskQueue.Engine;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>The memory that one request has reserved for its body and its answer, until the answer is written.</summary>
internal sealed class RequestMemory(MemoryBudget budget, MemoryScope.Holder? scope) : IDisposable
{
    private MemoryLease? _body;
    private List<MemoryLease>? _answers;

    /// <summary>Reserves for a body that has arrived whole and is small.</summary>
    /// <exception cref="OverloadedException">There is no memory.</exception>
    public async ValueTask ReserveSmallBodyAsync(long bytes, CancellationToken cancellationToken) =>
        _body ??= await budget.Small.ReserveAsync(bytes, cancellationToken);

    /// <summary>Reserves for what has arrived of a larger body.</summary>
    /// <param name="bytes">How much in all.</param>
    /// <param name="most">How much it will be.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OverloadedException">There is no memory.</exception>
    /// <exception cref="ApiException">413: there never is so much.</exception>
    public async ValueTask GrowBodyAsync(long bytes, long most, CancellationToken cancellationToken)
    {
        if (Math.Max(bytes, most) > budget.Bytes)
            throw new ApiException(413, "too_large",
                $"the body needs about {Math.Max(bytes, most)} bytes of memory, and this process may use {budget.Bytes}; send it in parts");
        if (_body is null)
        {
            _body = await budget.Bodies.ReserveAsync(bytes, most, cancellationToken);
            if (scope is not null)
                scope.Lease = _body;
        }
        else
        {
            await _body.GrowAsync(bytes, cancellationToken);
        }
    }

    /// <summary>The body is read: so much of it is left.</summary>
    public void SetBody(long bytes) => _body?.Set(bytes);

    /// <summary>Nothing of the body is needed any more, such as by a caller that waits for its task.</summary>
    public void ReleaseBody()
    {
        _body?.Dispose();
        if (scope is not null)
            scope.Lease = null;
    }

    /// <summary>Reserves for tasks that are read, until they are written: it fits <see cref="ReserveAnswer"/>.</summary>
    /// <exception cref="OverloadedException">There is no memory.</exception>
    public async ValueTask ReserveAnswerAsync(long bytes, int tasks, CancellationToken cancellationToken)
    {
        var pool = bytes <= MemoryBudget.SmallBytes && tasks == 1 ? budget.Small : budget.Answers;
        Keep(await pool.ReserveAsync(MemoryBudget.AnswerCost(bytes, tasks), cancellationToken));
    }

    /// <summary>Takes over what somebody else reserved for the answer.</summary>
    public void Keep(MemoryLease lease) => (_answers ??= []).Add(lease);

    public void Dispose()
    {
        _body?.Dispose();
        _answers?.ForEach(lease => lease.Dispose());
    }
}

/// <summary>Gives every request its <see cref="RequestMemory"/>.</summary>
internal sealed class RequestMemoryMiddleware(RequestDelegate next, MemoryBudget budget)
{
    public async Task InvokeAsync(HttpContext context)
    {
        var isLarge = !(context.Request.ContentLength <= MemoryBudget.SmallBytes)
            && context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: true };
        using var memory = new RequestMemory(budget, isLarge ? MemoryScope.Begin() : null);
        context.Features.Set(memory);
        await next(context);
    }
}

internal static class RequestMemories
{
    /// <summary>The memory of the request.</summary>
    public static RequestMemory Memory(this HttpContext context) =>
        context.Features.Get<RequestMemory>()
            ?? throw new InvalidOperationException($"{nameof(RequestMemoryMiddleware)} is not in the pipeline.");
}
