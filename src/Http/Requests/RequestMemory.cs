using Microsoft.AspNetCore.Http.Features;
using TaskQueue.Engine;
using TaskQueue.Engine.Memory;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Errors;

namespace TaskQueue.Http.Requests;

/// <summary>Memory reserved by a request for its body and response, until the response is written.</summary>
internal sealed class RequestMemory(MemoryBudget budget, MemoryScope.Holder? scope) : IDisposable
{
    private MemoryLease? _body;
    private List<MemoryLease>? _answers;

    /// <summary>Reserves memory for a small body that has arrived completely.</summary>
    /// <exception cref="OverloadedException">The memory budget is exhausted.</exception>
    public async ValueTask ReserveSmallBodyAsync(long bytes, CancellationToken cancellationToken) =>
        _body ??= await budget.Small.ReserveAsync(bytes, cancellationToken);

    /// <summary>Reserves memory for what has arrived of a larger body.</summary>
    /// <param name="bytes">Total bytes needed so far.</param>
    /// <param name="most">Total bytes needed in the end.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="OverloadedException">The memory budget is exhausted.</exception>
    /// <exception cref="ApiException">413: the body exceeds the whole budget.</exception>
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

    /// <summary>Shrinks the reservation after the body is read.</summary>
    public void SetBody(long bytes) => _body?.Set(bytes);

    /// <summary>Releases the body's reservation, for example while a caller waits for its task.</summary>
    public void ReleaseBody()
    {
        _body?.Dispose();
        if (scope is not null)
            scope.Lease = null;
    }

    /// <summary>Reserves memory for tasks from reading until they are written. Matches <see cref="ReserveAnswer"/>.</summary>
    /// <exception cref="OverloadedException">The memory budget is exhausted.</exception>
    public async ValueTask ReserveAnswerAsync(long bytes, int tasks, CancellationToken cancellationToken)
    {
        var pool = bytes <= MemoryBudget.SmallBytes && tasks == 1 ? budget.Small : budget.Answers;
        Keep(await pool.ReserveAsync(MemoryBudget.AnswerCost(bytes, tasks), cancellationToken));
    }

    /// <summary>Takes ownership of an existing reservation for the response.</summary>
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
    /// <summary>Memory reservation of the request.</summary>
    public static RequestMemory Memory(this HttpContext context) =>
        context.Features.Get<RequestMemory>()
            ?? throw new InvalidOperationException($"{nameof(RequestMemoryMiddleware)} is not in the pipeline.");
}
